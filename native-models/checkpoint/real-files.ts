// Where weight files really lie. The Hugging Face cache's snapshots link to its blobs, and the runtime refuses a file that
// leads out of the folder it is given: so it gets the folder that all real files lie below, and their paths from there.

import { realpathSync } from "node:fs";
import { dirname, join, parse, relative, sep } from "node:path";
import { UserError } from "../errors.ts";

export interface RealFiles {
  /** The deepest folder with all of the files. */
  folder: string;
  /** Path of each file from there, by its name in the model folder; "/" between parts. */
  locations: ReadonlyMap<string, string>;
}

export function realFiles(folder: string, names: readonly string[]): RealFiles {
  const paths = new Map(names.map((name) => [name, realpathSync(join(folder, name))]));
  let common = dirname(paths.values().next().value ?? folder);
  for (const path of paths.values()) {
    if (parse(path).root !== parse(common).root) {
      throw new UserError({ what: `Its weight files link to different drives: ${common} and ${path}.`, where: folder, fix: "Copy the files to one drive." });
    }
    while (!isBelow(path, common)) common = dirname(common);
  }
  const locations = new Map([...paths].map(([name, path]) => [name, relative(common, path).split(sep).join("/")]));
  return { folder: common, locations };
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}
