// Before a run is made: its rows must be of a known format, or have columns that a person has named. A guess is shown
// and confirmed, never trained on in silence. Looks at the first rows only.

import { UserError } from "../../native-models/errors.ts";
import type { Readers } from "../engine/readers.ts";
import type { ColumnMapping } from "./params/data.ts";
import type { Split } from "./params/defaults.ts";

interface Reading {
  mapping: ColumnMapping | null;
  split: Split | null;
}

const advice = "Name the columns: in the window under the training rows, on the command line with --map prompt=COLUMN,completion=COLUMN (or messages=COLUMN, or text=COLUMN).";

/** `where` names the field that held the path. */
export async function requireKnownRows(readers: Readers, path: string, { mapping, split }: Reading, where: string): Promise<void> {
  const { format, problem } = await readers.inspectRows(path, { mapping: mapping ?? undefined, split: split ?? undefined });
  if (format === null) throw new UserError({ what: problem!.what, where: `${where}: ${path}`, fix: advice });
  if (format.isSure) return;
  const columns = Object.entries(format.mapping).flatMap(([key, column]) => (key === "kind" ? [] : [`${key}=${column}`]));
  throw new UserError({
    what: `The rows are of no known format; by their names the columns could be ${columns.join(", ")}, but that is a guess.`,
    where: `${where}: ${path}`,
    fix: `Confirm it with --map ${columns.join(",")} or in the window, or name other columns.`,
  });
}

/** Rows that go with a training set: by its columns where they have them, else of a known format themselves. */
export async function requireLikeRows(readers: Readers, path: string, mapping: ColumnMapping | null, where: string): Promise<void> {
  if (mapping !== null && (await readers.inspectRows(path, { mapping })).format !== null) return;
  await requireKnownRows(readers, path, { mapping: null, split: null }, where);
}
