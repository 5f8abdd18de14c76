// How a probe asks: options that `probe` has, and a part of which `run` has.

import { InvalidArgumentError, Option, type Command } from "commander";
import { defaults, taskNames, wordings } from "../services/params/defaults.ts";
import { probeTaskInfo } from "../services/probe-tasks.ts";
import { whole } from "./options.ts";

export interface ProbeOptions {
  shots?: number;
  shotsFrom?: string;
  shotSeed?: number;
  shotRows?: number[];
  askAs: (typeof wordings)[number];
  promptForm?: string;
  newTokens?: number;
  sandbox?: boolean;
  limit?: number;
  fresh?: true;
  judgeModel?: string;
  judgeUrl?: string;
  judgeName?: string;
  judgeKeyFrom?: string;
  judgeRate?: number;
  judgeTimeout?: number;
  judgeTokens?: number;
}

export function addTaskOption(command: Command, flag: string, about: string): Command {
  return command.addOption(new Option(`${flag} <NAME>`, about).choices(taskNames));
}

export function addProbeOptions(command: Command): Command {
  return command
    .option("--shots <N>", "worked examples before each question (default: as the task has in lm-evaluation-harness)", whole)
    .option("--shots-from <FILE>", "file or folder of the examples (default: the data set folder's own split for them, else rows of the questions, which are then not asked)")
    .option("--shot-seed <S>", "choose the examples by a seed, not the first ones", whole)
    .option("--shot-rows <N,N>", "these rows are the examples, counted from 1", rowNumbers)
    .addOption(new Option("--ask-as <HOW>", "plain: the harness's text; template: a message in the template that the model was trained with").choices(wordings).default("plain"))
    .option("--prompt-form <TEXT>", 'of the task "questions": the prompt, with {question} where the question stands and \\n for a new line')
    .option("--new-tokens <N>", "most tokens of an answer (default: as the task has)", whole)
    .option("--sandbox", "let programs that the model writes run, in a sandbox: no network, no files of yours, little time and memory")
    .option("--limit <N>", "most questions to ask (default: all)", whole)
    .option("--fresh", "ask the base too where an earlier probe has its answers to the same questions (default: they are taken from there)")
    .option("--judge-model <DIR>", "of mt_bench: model folder that rates the answers")
    .option("--judge-url <URL>", "or an OpenAI-compatible address, such as http://127.0.0.1:8080/v1")
    .option("--judge-name <NAME>", "name of the judge's model at that address")
    .option("--judge-key-from <VARIABLE>", "environment variable that holds the address's key; the key is never stored")
    .option("--judge-rate <N>", "most requests a minute to that address", whole)
    .option("--judge-timeout <S>", `seconds that an answer may take (default: ${defaults.judgeTimeoutMs / 1000})`, whole)
    .option("--judge-tokens <N>", "most tokens of a verdict", whole, defaults.judgeNewTokens);
}

export function probeSettings(options: ProbeOptions) {
  const { shots, shotsFrom, shotSeed, shotRows, askAs, promptForm, newTokens, sandbox, limit, fresh } = options;
  const rows = shotRows === undefined ? null : ({ by: "rows", rows: shotRows } as const);
  const seeded = shotSeed === undefined ? null : ({ by: "seed", seed: shotSeed } as const);
  return {
    shots: shots ?? null,
    shotsFrom: shotsFrom ?? null,
    shotChoice: rows ?? seeded ?? ({ by: "first" } as const),
    wording: askAs,
    promptForm: promptForm === undefined ? null : { ask: promptForm.replaceAll("\\n", "\n") },
    maxNewTokens: newTokens ?? null,
    mayRunPrograms: sandbox ?? false,
    limit: limit ?? null,
    ...(fresh && { fresh }),
    judge: judgeSettings(options),
  };
}

/** Null where no judge was named. */
export function judgeSettings({ judgeModel, judgeUrl, judgeName, judgeKeyFrom, judgeRate, judgeTimeout, judgeTokens }: ProbeOptions) {
  if (judgeModel !== undefined) return { kind: "model" as const, folder: judgeModel, newTokens: judgeTokens };
  if (judgeUrl === undefined) return null;
  const timeoutMs = judgeTimeout === undefined ? defaults.judgeTimeoutMs : judgeTimeout * 1000;
  return { kind: "endpoint" as const, url: judgeUrl, model: judgeName ?? "", keyFrom: judgeKeyFrom ?? null, newTokens: judgeTokens, timeoutMs, perMinute: judgeRate ?? null };
}

/** A line a task, for --help. */
export function tasksHelp(): string {
  const width = Math.max(...taskNames.map(({ length }) => length));
  return ["", "Tasks:", ...taskNames.map((name) => `  ${name.padEnd(width)}  ${probeTaskInfo[name].about} ${shotWords(probeTaskInfo[name].shots)}`)].join("\n");
}

const shotWords = (shots: number): string => (shots === 0 ? "No examples." : `${shots} examples.`);

function rowNumbers(text: string): number[] {
  const rows = text.split(",").map((part) => Number(part.trim()));
  if (rows.some((row) => !Number.isInteger(row) || row < 1)) throw new InvalidArgumentError("It must be row numbers from 1, such as 3,7,12.");
  return rows.map((row) => row - 1);
}
