// What rounding a model's weights costs and gains, measured once on this machine and kept beside the rounded weights.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { readJsonFile, writeFileWhole } from "../checkpoint/file-bytes.ts";
import { quantisedFolder, type Width } from "./places.ts";

export interface MeasuredWidth {
  width: Exclude<Width, "float32">;
  /** Questions of the probe set, and tokens of their answers that the losses are means over. */
  questions: number;
  tokens: number;
  /** Nats a token. */
  lossNats: number;
  float32LossNats: number;
  /** One row, decoding. */
  tokensPerSecond: number;
  float32TokensPerSecond: number;
  /** Tokens of text that the weights were rounded by; 0: every weight to the nearest. */
  textTokens: number;
}

const fileName = "measured.json";
const longestFile = 64 * 1024;

/** Null where it was not measured, or what stands there is no measurement. */
export function readMeasured(cache: string, fingerprint: string, width: MeasuredWidth["width"]): MeasuredWidth | null {
  const file = join(quantisedFolder(cache, fingerprint, width), fileName);
  if (!existsSync(file)) return null;
  const found = readJsonFile(file, longestFile) as Partial<MeasuredWidth> | null;
  const numbers = [found?.questions, found?.tokens, found?.lossNats, found?.float32LossNats, found?.tokensPerSecond, found?.float32TokensPerSecond];
  return numbers.every((value) => typeof value === "number" && Number.isFinite(value)) ? { ...(found as MeasuredWidth), textTokens: found?.textTokens ?? 0, width } : null;
}

export function writeMeasured(cache: string, fingerprint: string, measured: MeasuredWidth): void {
  writeFileWhole(join(quantisedFolder(cache, fingerprint, measured.width), fileName), `${JSON.stringify(measured, null, 2)}\n`);
}

/** A rounded model answers by default up to this much more loss, nats a token: 2 % more perplexity. */
const lossAtMost = 0.02;

/** Whether the measurement speaks for the rounded weights. */
export function isWorthIt({ lossNats, float32LossNats, tokensPerSecond, float32TokensPerSecond }: MeasuredWidth): boolean {
  return lossNats - float32LossNats <= lossAtMost && tokensPerSecond > float32TokensPerSecond;
}
