// How answers are drawn, as options of a command.

import { Option, type Command } from "commander";
import type { AskStartInput } from "../rpc/contract.ts";
import { given, real, whole } from "./options.ts";

export interface SamplingOptions {
  temperature?: number;
  topP?: number;
  topK?: number;
  minP?: number;
  repetitionPenalty?: number;
  maxTokens?: number;
  seed?: number;
  width?: "auto" | "float32" | "int8" | "int4";
}

export function addSamplingOptions(command: Command): Command {
  return command
    .option("--temperature <T>", "0: always the likeliest token (default: 0)", real)
    .option("--top-p <P>", "draw from the fewest likeliest tokens of this probability together (default: 1, off)", real)
    .option("--top-k <K>", "draw from the K likeliest tokens (default: 0, off)", whole)
    .option("--min-p <P>", "leave out tokens below this share of the likeliest one's probability (default: 0, off)", real)
    .option("--repetition-penalty <X>", "divide the logits of tokens seen before (default: 1, off)", real)
    .option("--max-tokens <N>", "longest answer (default: 256)", whole)
    .option("--seed <S>", "seed of the draws, the same for every column (default: 0)", whole)
    .addOption(new Option("--width <WIDTH>", "what the weights are multiplied as; auto: 8 bits where a measurement on this machine speaks for it").choices(["auto", "float32", "int8", "int4"]));
}

export function samplingOf({ temperature, topP, topK, minP, repetitionPenalty, maxTokens, seed, width }: SamplingOptions): NonNullable<AskStartInput["sampling"]> {
  return given({ temperature, topP, topK, minP, repetitionPenalty, maxNewTokens: maxTokens, seed, width });
}
