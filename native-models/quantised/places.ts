// Where rounded weights are kept: a folder a model, width and version of the rounding. Knows no runtime, so that what only
// looks for them loads none.

import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

export type Width = "float32" | "int8" | "int4";
export type RoundedWidth = Exclude<Width, "float32">;
export const widths = ["float32", "int8", "int4"] as const satisfies readonly Width[];

/** Of the file's layout and rounding: a file of another version is made anew. */
export const roundingVersions = { int8: 2, int4: 4 } as const satisfies Record<RoundedWidth, number>;

export function quantisedFolder(cache: string, fingerprint: string, width: RoundedWidth): string {
  return join(cache, `${fingerprint.slice(0, 32)}-${width}-v${roundingVersions[width]}`);
}

/** Folders of earlier versions: no program like this one reads them again. */
export function removeSuperseded(cache: string): void {
  for (const name of readdirSync(cache)) {
    const found = /^[0-9a-f]{32}-(int8|int4)-v(\d+)$/.exec(name);
    if (found && Number(found[2]) < roundingVersions[found[1] as RoundedWidth]) rmSync(join(cache, name), { recursive: true, force: true });
  }
}
