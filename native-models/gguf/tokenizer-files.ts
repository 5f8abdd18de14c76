// tokenizer.json, tokenizer_config.json and the chat template of the model in a GGUF file.
// In: tokenizer.ggml.* metadata of a byte-level BPE. Out: the files' content, as Hugging Face's libraries read them.
// The way text is cut before merging is not in the file but named by tokenizer.ggml.pre; the table below spells it out.

import { readMetadata } from "./metadata.ts";
import type { MetadataReader } from "./metadata.ts";
import type { GgufFile } from "./types.ts";

export interface TokenizerFiles {
  tokenizer: Record<string, unknown>;
  config: Record<string, unknown>;
  chatTemplate: string | null;
}

interface Cut {
  /** Patterns applied one after another, each match on its own, before byte-level BPE. */
  splits: readonly string[];
  /** GPT-2's own pattern at the end. */
  useGpt2: boolean;
  /** A piece that is a whole token is taken as it is, merges or not. */
  ignoreMerges: boolean;
}

const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const modernCut = (digits: string): string =>
  `${contractions}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;
const gpt2: Cut = { splits: [], useGpt2: true, ignoreMerges: false };
const eachDigit: Cut = { splits: ["\\p{N}"], useGpt2: true, ignoreMerges: false };
const llama3: Cut = { splits: [modernCut("\\p{N}{1,3}")], useGpt2: false, ignoreMerges: true };
const qwen2: Cut = { splits: [modernCut("\\p{N}")], useGpt2: false, ignoreMerges: false };

/** By tokenizer.ggml.pre. */
const cuts: Readonly<Record<string, Cut>> = {
  "gpt-2": gpt2, smollm: eachDigit, starcoder: eachDigit, refact: eachDigit, "command-r": eachDigit,
  "llama-bpe": llama3, llama3, "llama-v3": llama3, falcon3: llama3, qwen2, "deepseek-r1-qwen": qwen2,
};

const tokenTypes = { unknown: 2, control: 3, userDefined: 4 };

export function tokenizerFiles(gguf: GgufFile): TokenizerFiles {
  const meta = readMetadata(gguf);
  const model = meta.needed("tokenizer.ggml.model", meta.text("tokenizer.ggml.model"));
  if (model !== "gpt2") {
    throw meta.refuse("tokenizer.ggml.model", `The tokenizer kind ${JSON.stringify(model.slice(0, 40))} is not read yet; byte-level BPE ("gpt2") is.`, "Get the model as a Hugging Face folder instead.");
  }
  const tokens = meta.needed("tokenizer.ggml.tokens", meta.texts("tokenizer.ggml.tokens"));
  const vocabulary = vocabularyOf(meta, tokens);
  const special = (name: string): string | undefined => {
    const id = meta.whole(`tokenizer.ggml.${name}_token_id`);
    return id === null ? undefined : tokens[id];
  };
  const bos = special("bos");
  const addBos = meta.flag("tokenizer.ggml.add_bos_token") === true && bos !== undefined;
  const cut = cutOf(meta);
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: cut.useGpt2 };
  const pieces = cut.splits.map((Regex) => ({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false }));
  const tokenizer = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: addedTokens(meta, tokens),
    normalizer: null,
    pre_tokenizer: pieces.length === 0 ? byteLevel : { type: "Sequence", pretokenizers: [...pieces, byteLevel] },
    post_processor: addBos ? bosFirst(bos, vocabulary.get(bos)!) : null,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE", dropout: null, unk_token: null, continuing_subword_prefix: "", end_of_word_suffix: "",
      fuse_unk: false, byte_fallback: false, ignore_merges: cut.ignoreMerges,
      vocab: Object.fromEntries(vocabulary),
      merges: mergesOf(meta, vocabulary),
    },
  };
  const config = {
    add_bos_token: addBos,
    bos_token: bos,
    clean_up_tokenization_spaces: false,
    eos_token: special("eos"),
    model_max_length: meta.whole("llama.context_length") ?? undefined,
    pad_token: special("padding"),
    tokenizer_class: "PreTrainedTokenizerFast",
    unk_token: special("unknown"),
  };
  return { tokenizer, config, chatTemplate: meta.text("tokenizer.chat_template") };
}

function cutOf(meta: MetadataReader): Cut {
  const key = "tokenizer.ggml.pre";
  const name = meta.needed(key, meta.text(key));
  const cut = Object.hasOwn(cuts, name) ? cuts[name] : undefined;
  if (cut !== undefined) return cut;
  throw meta.refuse(key, `The tokenizer cuts text as ${JSON.stringify(name.slice(0, 60))} does; known are ${Object.keys(cuts).join(", ")}.`, "Get the model as a Hugging Face folder instead.");
}

function vocabularyOf(meta: MetadataReader, tokens: readonly string[]): Map<string, number> {
  const vocabulary = new Map<string, number>();
  tokens.forEach((token, id) => {
    if (vocabulary.has(token)) throw meta.refuse("tokenizer.ggml.tokens", `Tokens ${vocabulary.get(token)} and ${id} are the same text.`);
    vocabulary.set(token, id);
  });
  return vocabulary;
}

function mergesOf(meta: MetadataReader, vocabulary: ReadonlyMap<string, number>): [string, string][] {
  const key = "tokenizer.ggml.merges";
  return meta.needed(key, meta.texts(key)).map((line, rank) => {
    const space = line.indexOf(" ", 1);
    const [left, right] = [line.slice(0, space), line.slice(space + 1)];
    if (space < 1 || !vocabulary.has(left) || !vocabulary.has(right) || !vocabulary.has(left + right)) {
      throw meta.refuse(key, `Merge ${rank} does not join two tokens of the vocabulary into a third.`);
    }
    return [left, right];
  });
}

function addedTokens(meta: MetadataReader, tokens: readonly string[]): Record<string, unknown>[] {
  const types = meta.wholes("tokenizer.ggml.token_type") ?? [];
  return tokens.flatMap((content, id) => {
    const type = types[id];
    const isSpecial = type === tokenTypes.control || type === tokenTypes.unknown;
    if ((!isSpecial && type !== tokenTypes.userDefined) || content === "") return [];
    return [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: isSpecial }];
  });
}

function bosFirst(bos: string, id: number): Record<string, unknown> {
  const first = { SpecialToken: { id: bos, type_id: 0 } };
  const text = (name: string): Record<string, unknown> => ({ Sequence: { id: name, type_id: name === "A" ? 0 : 1 } });
  return {
    type: "TemplateProcessing",
    single: [first, text("A")],
    pair: [first, text("A"), text("B")],
    special_tokens: { [bos]: { id: bos, ids: [id], tokens: [bos] } },
  };
}
