// The cells of a study, each a method, rank, learning rate and seed, and what came of them: a file a cell, written beside
// and renamed, so that a study goes on where it stopped. study.json says what all cells have in common.

import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../../native-models/errors.ts";
import type { methods } from "../../services/params/methods.ts";

export type MethodName = (typeof methods)[number];

export interface Cell {
  method: MethodName;
  rank: number;
  learningRate: number;
  seed: number;
}

export interface CellResult extends Cell {
  status: "done" | "failed";
  /** Why it failed, for example that it diverged. */
  why: string | null;
  /** Loss on the task's held-out rows after the last step, nats a token; null where it failed. */
  taskNats: number | null;
  /** Share of the base's likelihood of right answers, with its interval, and how many are word for word right; null where it failed. */
  kept: { share: number; low: number; high: number; questions: number; exact?: { base: number; now: number } | null } | null;
  elapsedMs: number;
}

/** What every cell has in common. */
export type StudySettings = Record<string, unknown>;

export function cellsOf(methodNames: readonly MethodName[], ranks: readonly number[], learningRates: readonly number[], seeds: readonly number[]): Cell[] {
  // Seeds outermost and methods innermost: a study that is stopped has a bit of everything.
  return seeds.flatMap((seed) => learningRates.flatMap((learningRate) => ranks.flatMap((rank) => methodNames.map((method) => ({ method, rank, learningRate, seed })))));
}

export interface StudyFolder {
  find(cell: Cell): CellResult | null;
  write(result: CellResult): void;
  /** All cells done so far, also of earlier calls with other methods or learning rates. */
  all(): CellResult[];
  writeText(name: string, text: string): void;
}

export function openStudyFolder(folder: string, settings: StudySettings): StudyFolder {
  const cells = join(folder, "cells");
  mkdirSync(cells, { recursive: true });
  const writeText = (name: string, text: string): void => {
    const partial = join(folder, `${name}.partial-${process.pid}`);
    writeFileSync(partial, text);
    renameSync(partial, join(folder, name));
  };
  const common = join(folder, "study.json");
  const text = `${JSON.stringify(settings, null, 2)}\n`;
  if (existsSync(common) && readFileSync(common, "utf8") !== text) {
    throw new UserError({ what: "The folder holds a study with other settings.", where: common, fix: "Choose another folder, or repeat the settings that study.json has (methods, ranks, learning rates and seeds may differ)." });
  }
  writeText("study.json", text);
  const fileOf = ({ method, rank, learningRate, seed }: Cell): string => `${method}-r${rank}-lr${learningRate}-s${seed}.json`;
  const read = (file: string): CellResult => {
    try {
      return JSON.parse(readFileSync(join(cells, file), "utf8")) as CellResult;
    } catch (cause) {
      throw new UserError({ what: "This cell's file cannot be read.", where: join(cells, file), fix: "Delete it; the cell is then computed again." }, { cause });
    }
  };
  return {
    find: (cell) => (existsSync(join(cells, fileOf(cell))) ? read(fileOf(cell)) : null),
    write: (result) => writeText(join("cells", fileOf(result)), `${JSON.stringify(result, null, 2)}\n`),
    all: () => readdirSync(cells).filter((file) => file.endsWith(".json")).sort().map(read),
    writeText,
  };
}
