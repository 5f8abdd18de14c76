// How training rows are read and put to the model, as options of `train` and `run`.

import { InvalidArgumentError, Option, type Command } from "commander";
import { columnMapping, type ColumnMapping } from "../services/params/data.ts";
import { defaults, overLongChoices, splits, templates } from "../services/params/defaults.ts";

export interface RowOptions {
  data: string;
  map?: ColumnMapping;
  split?: (typeof splits)[number];
  template: (typeof templates)[number];
  length: number;
  overLong: (typeof overLongChoices)[number];
}

export function addRowOptions(command: Command): Command {
  return command
    .requiredOption("--data <FILE>", "training rows: JSONL, JSON, CSV or Parquet (Alpaca, ShareGPT, messages, query/response, …), or a dataset folder")
    .option("--map <COLUMNS>", "which columns mean what, where the format is not known: prompt=A,completion=B (also input=, system=, history=), messages=A (also system=, tools=), or text=A", parseMap)
    .addOption(new Option("--split <NAME>", "split of a dataset folder (default: train)").choices(splits))
    .addOption(templateOption("how prompts are written: the model's chat template, or the Alpaca prompt; auto takes the first where there is one"))
    .addOption(new Option("--over-long <WHAT>", "rows longer than --length: drop them, cut-prompt (keep the answer and the end of the prompt), or refuse to start").choices(overLongChoices).default(defaults.overLong));
}

export function templateOption(about: string): Option {
  return new Option("--template <NAME>", about).choices(templates).default("auto");
}

export function rowSettings({ data, map, split, template, length, overLong }: RowOptions) {
  return { data, mapping: map ?? null, split: split ?? null, template, length, overLong };
}

/** "prompt=A,completion=B". Names with a comma or "=" in them are given as JSON: {"prompt": "A", "completion": "B"}. */
export function parseMap(text: string): ColumnMapping {
  const columns = text.trimStart().startsWith("{") ? fromJson(text) : fromPairs(text);
  const kind = "messages" in columns ? "conversation" : "text" in columns ? "text" : "pair";
  const parsed = columnMapping.safeParse({ kind, ...columns });
  const wrong = parsed.success ? Object.keys(columns).filter((key) => !Object.hasOwn(parsed.data, key)) : [];
  if (parsed.success && wrong.length === 0) return parsed.data;
  throw new InvalidArgumentError(
    wrong.length > 0
      ? `There is no ${wrong.join(" and no ")} to map; write prompt=A,completion=B (with input, system, history), messages=A (with system, tools), or text=A.`
      : "It needs prompt and completion, or messages, or text: for example prompt=question,completion=answer.",
  );
}

function fromJson(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    throw new InvalidArgumentError('It is not valid JSON; write {"prompt": "A", "completion": "B"}.');
  }
}

function fromPairs(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split(",").map((pair) => {
      const at = pair.indexOf("=");
      if (at < 1) throw new InvalidArgumentError(`"${pair}" is not MEANING=COLUMN.`);
      return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
    }),
  );
}
