// The answers of a probe as a file of the user's: CSV or JSONL, by its name.

import { createWriteStream, renameSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { InvalidArgumentError } from "commander";
import { UserError } from "../../native-models/errors.ts";
import type { Client } from "../rpc/contract.ts";
import { answerFormats } from "../services/params/probes.ts";

export interface AnswersFile {
  path: string;
  format: (typeof answerFormats)[number];
}

export function answersFile(name: string): AnswersFile {
  const format = answerFormats.find((each) => name.toLowerCase().endsWith(`.${each}`));
  if (format === undefined) throw new InvalidArgumentError(`It must end in ${answerFormats.map((each) => `.${each}`).join(" or ")}.`);
  return { path: resolve(name), format };
}

/** Written beside its place and renamed, so that no half file is found there. */
export async function writeAnswers(client: Client, id: number, { path, format }: AnswersFile): Promise<void> {
  const partial = `${path}.partial-${process.pid}`;
  try {
    await pipeline(Readable.from(await client.probe.exportAnswers({ id, format })), createWriteStream(partial));
    renameSync(partial, path);
  } catch (cause) {
    rmSync(partial, { force: true });
    if (typeof (cause as NodeJS.ErrnoException).errno !== "number") throw cause; // not of the file system
    throw new UserError({ what: `The answers could not be written: ${(cause as Error).message}.`, where: `--answers ${path}`, fix: "Choose another file." }, { cause });
  }
}
