// What a model folder still lacks, by the names of its files: while a copy or a download is under way, and after a wrong one.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../errors.ts";
import { shown } from "./safetensors-header.ts";

export const singleFile = "model.safetensors";
export const indexFile = "model.safetensors.index.json";
const tokenizerFile = "tokenizer.json";

export function hasWeights(folder: string): boolean {
  return existsSync(join(folder, singleFile)) || existsSync(join(folder, indexFile));
}

/** The folder cannot be used yet: which files are missing, and what to do. */
export function missingFiles(folder: string): UserError | null {
  const lacks = [
    ...(hasWeights(folder) ? [] : [`${singleFile} (or ${indexFile} with its parts)`]),
    ...(existsSync(join(folder, tokenizerFile)) ? [] : [tokenizerFile]),
  ];
  if (lacks.length === 0) return null;
  return new UserError({ what: `The folder has no ${lacks.join(" and no ")}.`, where: folder, fix: adviceFor(folder) });
}

function adviceFor(folder: string): string {
  const files = existsSync(folder) ? readdirSync(folder) : [];
  const torch = files.find((name) => /^(pytorch_model|consolidated).*\.(bin|pth)$/.test(name));
  const gguf = files.find((name) => name.endsWith(".gguf"));
  if (!hasWeights(folder) && torch !== undefined) return `It has ${shown(torch)}, which can run code when it is loaded: get the model's .safetensors version instead.`;
  if (!hasWeights(folder) && gguf !== undefined) return `It has the GGUF file ${shown(gguf)}: import that file instead of the folder.`;
  if (files.includes("tokenizer.model") && !files.includes(tokenizerFile)) return "A tokenizer.model alone is not enough: transformers' save_pretrained writes the tokenizer.json for it.";
  return "Let the copy or the download finish: the folder is looked at again by itself. Else get the missing files.";
}
