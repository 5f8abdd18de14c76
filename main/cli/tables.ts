// Text for people: tables, bytes, times, scores.

import type { Estimate, ProbeSummary, RowsReport, RunSummary, VoteTally } from "../rpc/contract.ts";
import { infoOf, measureRows, probeTaskOf } from "../services/probe-tasks.ts";

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]) => cells.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd();
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

export function bytes(value: number | null): string {
  if (value === null) return "";
  const units = ["B", "KB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, value < 1 ? 0 : Math.floor(Math.log10(value) / 3));
  return `${(value / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

export function time(ms: number | null): string {
  return ms === null ? "" : new Date(ms).toISOString().slice(0, 16).replace("T", " ");
}

export function runLine(run: RunSummary): string[] {
  const loss = run.lastLossNats === null ? "" : run.lastLossNats.toFixed(3);
  return [String(run.id), run.isCancelling ? "stopping" : run.status, run.stage ?? "", String(run.lastStep), loss, time(run.createdMs), run.name];
}

export const runHead = ["id", "status", "stage", "step", "loss", "created (UTC)", "name"];

/** Scores of a probe with their 95 % intervals, base beside tuned, and in words what changed. */
export function probeText(probe: ProbeSummary): string {
  const { scores, words } = probe;
  if (scores === null) return "No answers.";
  const task = probeTaskOf(probe.config);
  const { exactName, isContainsIdle } = infoOf(task);
  const percent = ({ value, low, high }: Estimate) => `${(value * 100).toFixed(1)} % (${(low * 100).toFixed(1)} to ${(high * 100).toFixed(1)})`;
  const nats = (estimate: Estimate | null) => (estimate === null ? "" : `${estimate.value.toFixed(3)} (${estimate.low.toFixed(3)} to ${estimate.high.toFixed(3)})`);
  const rows = ([["base", scores.base], ["tuned", scores.tuned]] as const).flatMap(([name, score]) =>
    score === null ? [] : [[name, `${score.exact.right} of ${score.exact.asked}`, percent(score.exact), ...(isContainsIdle ? [] : [percent(score.contains)]), ...(scores.base.likelihoodNats === null ? [] : [nats(score.likelihoodNats)])]],
  );
  const head = ["model", "right", `${exactName} (95 % interval)`, ...(isContainsIdle ? [] : ["contains (loose)"]), ...(scores.base.likelihoodNats === null ? [] : ["right answer, nats a token"])];
  const measures = measureRows(task, probe.base, probe.tuned).map(({ title, base, tuned }) => `${title}: ${tuned === null ? base : `base ${base}, tuned ${tuned}`}`);
  const text = [table(head, rows), ...measures, ...baseFromText(probe)].join("\n");
  return words === null ? text : [text, words.exact, ...(words.likelihood === null ? [] : [words.likelihood]), words.flips].join("\n");
}

/** Whose answers those of the base are, where it was not asked. */
function baseFromText({ baseFrom, scores }: ProbeSummary): string[] {
  if (baseFrom === null) return [];
  const { answers, runId, probeId, askedMs } = baseFrom;
  const all = answers >= (scores?.base.exact.asked ?? answers);
  return [`${all ? "The base's answers are" : `${answers} of the base's answers are`} those of ${runId === null ? `probe ${probeId}` : `run ${runId}`} of ${time(askedMs)} UTC; --fresh asks again.`];
}

/** Votes of blind comparisons, with how sure they are. */
export function votesText(tallies: readonly VoteTally[]): string {
  const percent = (share: number) => `${Math.round(share * 100)} %`;
  const rows = tallies.map(({ own, rival, won, lost, ties, bothBad, share, p }) => [
    `${own} against ${rival}`, String(won), String(lost), String(ties), String(bothBad),
    share === null ? "" : `${percent(share.value)} (${percent(share.low)} to ${percent(share.high)})`, p === null ? "" : p.toFixed(3),
  ]);
  return `Blind votes:\n${table(["compared", "won", "lost", "ties", "both bad", "won of decided (95 %)", "p (sign test)"], rows)}`;
}

/** What became of a run's training rows, every reason with an example. */
export function rowsText({ counts, trainedTokens, format }: RowsReport): string {
  const columns = Object.entries(format.mapping).flatMap(([key, column]) => (key === "kind" ? [] : [`${key}=${column}`]));
  const reasons = counts.reasons.map(({ reason, count, exampleRow }) => `  ${count} ${reason} (such as row ${exampleRow + 1})`);
  return [`Rows: ${counts.kept} of ${counts.total} kept, ${counts.cut} of them cut; ${trainedTokens} trained tokens; ${format.name} (${columns.join(", ")})`, ...reasons].join("\n");
}
