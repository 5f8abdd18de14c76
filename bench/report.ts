// What every benchmark hands back: a ratio against a peer in one run, the absolute figures beside it, and what could not
// be measured. Plain data: it is the --json output as it stands, and report-text.ts shows it to people.

export type BenchName = "train" | "probe" | "decode" | "nullspace";

export interface Machine {
  cpu: string;
  cores: number;
  memoryBytes: number;
  freeMemoryBytes: number;
  platform: string;
  /** Load averages over 1, 5 and 15 minutes before anything was measured: other work shows here. */
  loadBefore: readonly number[];
}

/** One quantity of both sides. */
export interface Comparison {
  what: string;
  unit: string;
  better: "more" | "less";
  ours: number | null;
  peer: number | null;
  /** How many times better ours is; null where a side is missing. */
  ratio: number | null;
  /** How a figure came about, where it was not simply measured. */
  note?: string;
}

/** A figure that has no other side. */
export interface Figure {
  what: string;
  value: number;
  unit: string;
  note?: string;
}

/** Something that must hold for the figures to mean anything. */
export interface Check {
  what: string;
  found: string;
  wanted: string;
  holds: boolean;
}

export interface BenchReport {
  bench: BenchName;
  peer: string;
  machine: Machine;
  versions: Readonly<Record<string, string>>;
  settings: Readonly<Record<string, unknown>>;
  comparisons: readonly Comparison[];
  figures: readonly Figure[];
  checks: readonly Check[];
  notRun: readonly { what: string; why: string }[];
  /** Every single measurement, in the order it was made. */
  measured: readonly unknown[];
  elapsedMs: number;
}

export function compare(what: string, unit: string, better: Comparison["better"], ours: number | null, peer: number | null, note?: string): Comparison {
  const isWhole = ours !== null && peer !== null && ours > 0 && peer > 0;
  const ratio = isWhole ? (better === "more" ? ours / peer : peer / ours) : null;
  return { what, unit, better, ours, peer, ratio, ...(note !== undefined && { note }) };
}

export function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

export function largest(values: readonly number[]): number | null {
  return values.length === 0 ? null : Math.max(...values);
}

export function smallest(values: readonly number[]): number | null {
  return values.length === 0 ? null : Math.min(...values);
}
