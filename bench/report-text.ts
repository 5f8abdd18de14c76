// A benchmark's report as text: machine and versions, both sides in one table, checks, and what was not run.

import type { BenchName, BenchReport, Check, Comparison, Figure } from "./report.ts";

const titles: Record<BenchName, string> = { train: "Training", probe: "Probing", decode: "Decoding", nullspace: "The null space and the start" };

export function reportText(report: BenchReport): string {
  const { bench, peer, machine, versions, comparisons, figures, checks, notRun, elapsedMs } = report;
  const parts = [
    `${titles[bench]}: Nullspace against ${peer}`,
    `${machine.cpu}, ${machine.cores} cores, ${gigabytes(machine.memoryBytes)} GB (${gigabytes(machine.freeMemoryBytes)} free), ${machine.platform}; load before: ${machine.loadBefore.map((load) => load.toFixed(2)).join(" ")}`,
    Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", "),
    "",
    columns([["", "Nullspace", peer, "ratio"], ...comparisons.map(comparisonRow)], ["left", "right", "right", "right"]),
  ];
  if (figures.length > 0) parts.push("", columns(figures.map(figureRow), ["left", "right"]));
  if (checks.length > 0) parts.push("", ...checks.map(checkLine));
  if (notRun.length > 0) parts.push("", ...notRun.map(({ what, why }) => `Not run: ${what}: ${why}`));
  parts.push("", `Ratios say how many times better Nullspace is. Measured in ${Math.round(elapsedMs / 1000)} s.`);
  return parts.join("\n");
}

function comparisonRow({ what, unit, ours, peer, ratio, note }: Comparison): string[] {
  const name = note === undefined ? `${what}, ${unit}` : `${what}, ${unit} (${note})`;
  return [name, ours === null ? "–" : number(ours), peer === null ? "–" : number(peer), ratio === null ? "–" : `${number(ratio)}×`];
}

function figureRow({ what, value, unit, note }: Figure): string[] {
  return [note === undefined ? what : `${what} (${note})`, unit === "%" ? `${number(value * 100)} %` : `${number(value)} ${unit}`.trimEnd()];
}

function checkLine({ what, found, wanted, holds }: Check): string {
  return `${holds ? "ok  " : "MISS"} ${what}: ${found} (wanted: ${wanted})`;
}

/** About three digits, never in exponent form where it can be helped. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en-US");
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  return size >= 0.01 ? value.toFixed(2) : value.toExponential(1);
}

function gigabytes(value: number): string {
  return (value / 1e9).toFixed(1);
}

function columns(rows: readonly (readonly string[])[], sides: readonly ("left" | "right")[]): string {
  const widths = sides.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const cell = (text: string, column: number): string => (sides[column] === "left" ? text.padEnd(widths[column]!) : text.padStart(widths[column]!));
  return rows.map((row) => row.map(cell).join("  ").trimEnd()).join("\n");
}
