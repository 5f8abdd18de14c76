// What a study says: cells of the same method, rank and learning rate averaged over their seeds, as a table and as CSV.

import type { CellResult, MethodName } from "./cells.ts";

export interface Setting {
  method: MethodName;
  rank: number;
  learningRate: number;
  seeds: number;
  failed: number;
  taskNats: number | null;
  /** Over all seeds: mean share kept, and the mean ends of the intervals. */
  kept: { share: number; low: number; high: number } | null;
  /** No other setting both learnt more and kept more. */
  isBest: boolean;
}

export function settingsOf(results: readonly CellResult[]): Setting[] {
  const groups = new Map<string, CellResult[]>();
  for (const result of results) {
    const key = `${result.method} ${result.rank} ${result.learningRate}`;
    groups.set(key, [...(groups.get(key) ?? []), result]);
  }
  const settings = [...groups.values()].map((cells): Omit<Setting, "isBest"> => {
    const [{ method, rank, learningRate }] = cells as [CellResult];
    const kept = cells.flatMap((cell) => (cell.kept === null ? [] : [cell.kept]));
    return {
      method, rank, learningRate,
      seeds: cells.length,
      failed: cells.filter(({ status }) => status === "failed").length,
      taskNats: mean(cells.flatMap(({ taskNats }) => (taskNats === null ? [] : [taskNats]))),
      kept: kept.length === 0 ? null : { share: mean(kept.map(({ share }) => share))!, low: mean(kept.map(({ low }) => low))!, high: mean(kept.map(({ high }) => high))! },
    };
  });
  const isBeaten = (one: Omit<Setting, "isBest">): boolean =>
    settings.some((other) => other !== one && other.taskNats !== null && other.kept !== null && other.taskNats <= one.taskNats! && other.kept.share >= one.kept!.share);
  return settings
    .map((setting) => ({ ...setting, isBest: setting.taskNats !== null && setting.kept !== null && !isBeaten(setting) }))
    .sort((a, b) => (a.method < b.method ? -1 : a.method > b.method ? 1 : a.rank - b.rank || a.learningRate - b.learningRate));
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

export function studyTable(settings: readonly Setting[]): string {
  const rows = settings.map(({ method, rank, learningRate, seeds, failed, taskNats, kept, isBest }) => [
    method, String(rank), String(learningRate), failed === 0 ? String(seeds) : `${seeds}, ${failed} failed`,
    taskNats?.toFixed(3) ?? "–", kept === null ? "–" : percent(kept.share), kept === null ? "–" : `${percent(kept.low)} to ${percent(kept.high)}`, isBest ? "*" : "",
  ]);
  const table = [["method", "rank", "learning rate", "seeds", "task loss", "kept", "interval", ""], ...rows];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]): string => `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`;
  return [line(table[0]!), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...table.slice(1).map(line)].join("\n");
}

export function studyCsv(settings: readonly Setting[]): string {
  const rows = settings.map(({ method, rank, learningRate, seeds, failed, taskNats, kept }) => [method, rank, learningRate, seeds, failed, taskNats ?? "", kept?.share ?? "", kept?.low ?? "", kept?.high ?? ""].join(","));
  return ["method,rank,learning_rate,seeds,failed,task_loss_nats,kept_share,kept_low,kept_high", ...rows, ""].join("\n");
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
