// Typed answers from a GGUF file's metadata; a missing or wrong one is a UserError naming the key.

import { UserError } from "../errors.ts";
import type { GgufFile } from "./types.ts";

export interface MetadataReader {
  /** A whole number from 0 to 2^31 − 1, or null where the key is missing. */
  whole(key: string): number | null;
  real(key: string): number | null;
  text(key: string): string | null;
  flag(key: string): boolean | null;
  texts(key: string): readonly string[] | null;
  /** An array of whole numbers. */
  wholes(key: string): readonly number[] | null;
  /** The same, but the key must be there. */
  needed<T>(key: string, value: T | null): T;
  refuse(key: string, what: string, fix?: string): UserError;
}

export function readMetadata(gguf: GgufFile): MetadataReader {
  const refuse = (key: string, what: string, fix = "Convert the model to GGUF again with a current llama.cpp, or choose another file."): UserError =>
    new UserError({ what, where: `${gguf.file}: ${key}`, fix });
  const asNumber = (key: string): number | null => {
    const value = gguf.metadata.get(key);
    if (value === undefined) return null;
    if (typeof value !== "number" && typeof value !== "bigint") throw refuse(key, "It is not a number.");
    return Number(value);
  };
  const isWhole = (value: number): boolean => Number.isInteger(value) && value >= 0 && value < 2 ** 31;
  return {
    whole(key) {
      const value = asNumber(key);
      if (value !== null && !isWhole(value)) throw refuse(key, `It is ${value}, which is no sensible count.`);
      return value;
    },
    real(key) {
      const value = asNumber(key);
      if (value !== null && !Number.isFinite(value)) throw refuse(key, "It is not a finite number.");
      return value;
    },
    text(key) {
      const value = gguf.metadata.get(key) ?? null;
      if (value !== null && typeof value !== "string") throw refuse(key, "It is not text.");
      return value;
    },
    flag(key) {
      const value = gguf.metadata.get(key) ?? null;
      if (value !== null && typeof value !== "boolean") throw refuse(key, "It is neither true nor false.");
      return value;
    },
    texts(key) {
      const value = gguf.metadata.get(key) ?? null;
      if (value === null) return null;
      if (!Array.isArray(value)) throw refuse(key, "It is not a list of texts.");
      return value;
    },
    wholes(key) {
      const value = gguf.metadata.get(key) ?? null;
      if (value === null) return null;
      if (!ArrayBuffer.isView(value)) throw refuse(key, "It is not a list of numbers.");
      return Array.from(value as ArrayLike<number | bigint>, Number);
    },
    needed(key, value) {
      if (value === null) throw refuse(key, "The file lacks this field.");
      return value;
    },
    refuse,
  };
}
