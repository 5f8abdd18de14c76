// What a study says: cells of the same method, rank and learning rate together over their seeds, which of them nothing
// beats, and the learning rate to take for each method.
// At one seed all cells train on the same rows in the same order and are measured on the same held-out rows and questions,
// so two settings are compared by their differences seed by seed (paired); ± is always the standard error over seeds.

import type { CellResult, MethodName } from "./cells.ts";

/** Mean over seeds; the standard error needs two of them. */
export interface Spread {
  mean: number;
  standardError: number | null;
}

export interface Setting {
  method: MethodName;
  rank: number;
  learningRate: number;
  seeds: number;
  failed: number;
  /** Task loss on held-out rows, nats a token; null where every seed failed. */
  taskNats: Spread | null;
  /** Share kept of the likelihood of right answers, and the mean ends of its 95 % intervals over questions. */
  kept: (Spread & { low: number; high: number }) | null;
  /** Differences to the reference, over the seeds that both have; null for the reference itself and without such seeds. */
  against: { taskNats: Spread; kept: Spread; pairs: number } | null;
  /** No other setting has both a lower task loss and more kept. */
  isOnFront: boolean;
  /** The learning rate to take for its method and rank, by `rule`. */
  isBest: boolean;
}

export interface StudySummary {
  rule: string;
  /** What `against` compares with: plain LoRA at its best rate; null in a study without it. */
  reference: Pick<Setting, "method" | "rank" | "learningRate"> | null;
  settings: Setting[];
}

export function ruleOf(keptFloor: number): string {
  return `Best rate of a method and rank: the lowest mean task loss among the rates that keep at least ${percent(keptFloor)} and never diverged; where none does, the rate that keeps most.`;
}

export function summaryOf(results: readonly CellResult[], keptFloor: number): StudySummary {
  const groups = [...Map.groupBy(results, ({ method, rank, learningRate }) => `${method} ${rank} ${learningRate}`).values()];
  const settings = groups.map((cells) => ({ cells, ...spreadOf(cells) }));
  const best = new Set([...Map.groupBy(settings, ({ method, rank }) => `${method} ${rank}`).values()].flatMap((rates) => bestOf(rates, keptFloor) ?? []));
  const reference = settings.find((setting) => setting.method === "lora" && best.has(setting)) ?? null;
  return {
    rule: ruleOf(keptFloor),
    reference: reference && { method: reference.method, rank: reference.rank, learningRate: reference.learningRate },
    settings: settings
      .map(({ cells, ...setting }, i) => ({
        ...setting,
        against: reference === null || reference === settings[i] ? null : differencesOf(cells, reference.cells),
        isOnFront: isOnFront(setting, settings),
        isBest: best.has(settings[i]!),
      }))
      .sort((a, b) => (a.method < b.method ? -1 : a.method > b.method ? 1 : a.rank - b.rank || a.learningRate - b.learningRate)),
  };
}

type Measured = Omit<Setting, "against" | "isOnFront" | "isBest">;

function spreadOf(cells: readonly CellResult[]): Measured {
  const [{ method, rank, learningRate }] = cells as [CellResult];
  const kept = cells.flatMap((cell) => (cell.kept === null ? [] : [cell.kept]));
  const shares = spread(kept.map(({ share }) => share));
  return {
    method, rank, learningRate,
    seeds: cells.length,
    failed: cells.filter(({ status }) => status === "failed").length,
    taskNats: spread(cells.flatMap(({ taskNats }) => (taskNats === null ? [] : [taskNats]))),
    kept: shares && { ...shares, low: mean(kept.map(({ low }) => low)), high: mean(kept.map(({ high }) => high)) },
  };
}

function bestOf<T extends Measured>(rates: readonly T[], keptFloor: number): T | null {
  const sound = rates.filter(({ failed, taskNats, kept }) => failed === 0 && taskNats !== null && kept !== null);
  const keeping = sound.filter(({ kept }) => kept!.mean >= keptFloor);
  const [first] = keeping.length > 0 ? keeping.sort((a, b) => a.taskNats!.mean - b.taskNats!.mean) : sound.sort((a, b) => b.kept!.mean - a.kept!.mean);
  return first ?? null;
}

function isOnFront({ taskNats, kept }: Measured, settings: readonly Measured[]): boolean {
  if (taskNats === null || kept === null) return false;
  return !settings.some((other) => other.taskNats !== null && other.kept !== null && other.taskNats.mean <= taskNats.mean && other.kept.mean >= kept.mean && (other.taskNats.mean < taskNats.mean || other.kept.mean > kept.mean));
}

function differencesOf(cells: readonly CellResult[], reference: readonly CellResult[]): Setting["against"] {
  const pairs = cells.flatMap((cell) => {
    const other = reference.find(({ seed }) => seed === cell.seed);
    return cell.taskNats === null || cell.kept === null || !other || other.taskNats === null || other.kept === null ? [] : [{ taskNats: cell.taskNats - other.taskNats, kept: cell.kept.share - other.kept.share }];
  });
  const [taskNats, kept] = [spread(pairs.map((pair) => pair.taskNats)), spread(pairs.map((pair) => pair.kept))];
  return taskNats && kept && { taskNats, kept, pairs: pairs.length };
}

function spread(values: readonly number[]): Spread | null {
  if (values.length === 0) return null;
  const centre = mean(values);
  if (values.length === 1) return { mean: centre, standardError: null };
  const variance = values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1);
  return { mean: centre, standardError: Math.sqrt(variance / values.length) };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export function studyTable({ rule, reference, settings }: StudySummary): string {
  const points = (share: number): string => (100 * share).toFixed(1);
  const signed = (text: string): string => (text.startsWith("-") ? `−${text.slice(1)}` : `+${text}`);
  const rows = settings.map(({ method, rank, learningRate, seeds, failed, taskNats, kept, against, isOnFront, isBest }) => [
    isBest ? `**${method}**` : method, String(rank), String(learningRate), failed === 0 ? String(seeds) : `${seeds}, ${failed} diverged`,
    taskNats === null ? "–" : withError(taskNats, (value) => value.toFixed(3)),
    kept === null ? "–" : `${withError(kept, points)} %`,
    kept === null ? "–" : `${points(kept.low)} to ${points(kept.high)} %`,
    ...(reference === null ? [] : [against === null ? "–" : withError(against.taskNats, (value, isError) => (isError ? value.toFixed(3) : signed(value.toFixed(3)))), against === null ? "–" : withError(against.kept, (value, isError) => (isError ? points(value) : signed(points(value))))]),
    isOnFront ? "*" : "",
  ]);
  const heads = ["method", "rank", "learning rate", "seeds", "task loss", "kept", "95 % over questions", ...(reference === null ? [] : ["task loss − LoRA's", "kept − LoRA's, points"]), ""];
  const table = [heads, ...rows];
  const widths = heads.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]): string => `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`;
  return [
    line(heads), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...rows.map(line),
    "",
    `± is the standard error over seeds${reference === null ? "" : `; differences are paired seed by seed with ${reference.method} at ${reference.learningRate}`}. * nothing beats it in both. Bold: best rate of its method.`,
    rule,
  ].join("\n");
}

function withError({ mean: centre, standardError }: Spread, text: (value: number, isError: boolean) => string): string {
  return standardError === null ? text(centre, false) : `${text(centre, false)} ± ${text(standardError, true)}`;
}

export function studyCsv({ settings }: StudySummary): string {
  const rows = settings.map(({ method, rank, learningRate, seeds, failed, taskNats, kept, against, isOnFront, isBest }) => [
    method, rank, learningRate, seeds, failed, ...of(taskNats), ...of(kept), kept?.low ?? "", kept?.high ?? "", ...of(against?.taskNats), ...of(against?.kept), against?.pairs ?? 0, isOnFront, isBest,
  ].join(","));
  const head = "method,rank,learning_rate,seeds,failed,task_loss_nats,task_loss_se,kept_share,kept_se,kept_low,kept_high,task_loss_minus_lora,task_loss_minus_lora_se,kept_minus_lora,kept_minus_lora_se,pairs,on_front,best_rate";
  return [head, ...rows, ""].join("\n");
}

function of(found: Spread | null | undefined): (number | string)[] {
  return [found?.mean ?? "", found?.standardError ?? ""];
}

function percent(share: number): string {
  return `${Number((100 * share).toFixed(1))} %`;
}
