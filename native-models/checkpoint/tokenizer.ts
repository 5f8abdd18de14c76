// Text to token ids and back, by the model folder's own tokenizer.json.
// In: tokenizer.json, tokenizer_config.json, chat_template.jinja. Out: a Tokenizer. The work is done by Hugging Face's
// own library in plain JavaScript: it is synchronous and needs no native binary.

import { join } from "node:path";
import { Tokenizer as Library } from "@huggingface/tokenizers";
import { UserError } from "../errors.ts";
import { compileChatTemplate, findChatTemplate } from "./chat-template.ts";
import { tokenContent } from "./config.ts";
import { messageOf, readJsonFile } from "./file-bytes.ts";
import type { Tokenizer } from "./types.ts";

const largestTokenizerBytes = 256 * 1024 * 1024;
const largestConfigBytes = 64 * 1024 * 1024;

type Json = Readonly<Record<string, unknown>>;

export function openTokenizer(folder: string): Tokenizer {
  const file = join(folder, "tokenizer.json");
  const json = readJsonFile(file, largestTokenizerBytes);
  if (json === null) {
    throw new UserError({
      what: "The folder has no tokenizer.json.",
      where: folder,
      fix: "Download it with the model. A tokenizer.model alone is not enough: transformers' save_pretrained writes the tokenizer.json for it.",
    });
  }
  const config = readJsonFile(join(folder, "tokenizer_config.json"), largestConfigBytes) ?? {};
  const library = loadLibrary(file, json, config);
  const idOf = (token: string | null): number | null => (token === null ? null : (library.token_to_id(token) ?? null));
  const textOf = (field: string): string => tokenContent(config[field]) ?? "";
  const vocabulary = [...library.get_vocab().values()].reduce((most, id) => Math.max(most, id + 1), 0);
  const added = library.get_added_tokens_decoder();
  const isByteLevel = JSON.stringify(json["decoder"] ?? null).includes('"ByteLevel"');

  // The library drops nothing by itself at the level of single ids, so unknown ones are left out here.
  const decode = (ids: readonly number[], keepSpecial: boolean): string => {
    const known = ids.filter((id) => library.id_to_token(id) !== undefined);
    if (known.length === 0) return "";
    return library.decode(known, { skip_special_tokens: !keepSpecial, clean_up_tokenization_spaces: false });
  };
  const encode = (text: string): number[] => (text === "" ? [] : library.encode(text, { add_special_tokens: false }).ids);
  const tokens = { bos_token: textOf("bos_token"), eos_token: textOf("eos_token"), pad_token: textOf("pad_token"), unk_token: textOf("unk_token") };
  const bosId = idOf(tokenContent(config["bos_token"]));
  const found = findChatTemplate(folder, config);
  const tokenizer: Tokenizer = {
    vocabulary,
    eosId: idOf(tokenContent(config["eos_token"])) ?? eosOfConfig(folder),
    bosId,
    addsBos: bosId !== null && addsBos(library, config, bosId),
    encode,
    encodeBatch: (texts) => texts.map(encode),
    decode: (ids, options) => decode(ids, options?.keepSpecial === true),
    tokenText(id) {
      const token = added.get(id)?.content ?? library.id_to_token(id);
      if (token === undefined) return "";
      if (added.has(id)) return token;
      return isByteLevel ? decode([id], true) : token.replaceAll("▁", " ");
    },
    chatTemplate: found === null ? null : compileChatTemplate(found.text, found.where, tokens),
    chatTemplateText: found?.text ?? null,
    withChatTemplate: (text, where) => ({ ...tokenizer, chatTemplate: compileChatTemplate(text, where, tokens), chatTemplateText: text }),
  };
  return tokenizer;
}

// transformers builds these tokenizers' post-processor anew from add_bos_token; for all others tokenizer.json has the say.
const classesOfOwnBos = /^(Code)?(Llama|Gemma)Tokenizer(Fast)?$/;

function addsBos(library: Library, config: Json, bosId: number): boolean {
  const wanted = config["add_bos_token"];
  if (typeof wanted === "boolean" && classesOfOwnBos.test(String(config["tokenizer_class"]))) return wanted;
  return library.encode("a", { add_special_tokens: true }).ids[0] === bosId;
}

function loadLibrary(file: string, json: Json, config: Json): Library {
  try {
    const library = new Library({ ...json, pre_tokenizer: withExactDigits(json["pre_tokenizer"]) }, config);
    library.encode("a b", { add_special_tokens: false }); // a part that is missing or malformed shows on first use
    return library;
  } catch (cause) {
    throw new UserError(
      {
        what: `The tokenizer cannot be loaded: ${messageOf(cause).slice(0, 300)}.`,
        where: file,
        fix: "Download this file again; if it stays so, the tokenizer is of a kind that is not supported.",
      },
      { cause },
    );
  }
}

// The library takes only 0-9 for digits where the format means every Unicode number; as a pattern it is exact.
function withExactDigits(step: unknown): unknown {
  if (typeof step !== "object" || step === null) return step;
  const { type, pretokenizers, individual_digits: isEach } = step as { type?: unknown; pretokenizers?: unknown; individual_digits?: unknown };
  if (type === "Sequence" && Array.isArray(pretokenizers)) return { ...step, pretokenizers: pretokenizers.map(withExactDigits) };
  if (type !== "Digits") return step;
  return { type: "Split", pattern: { Regex: isEach === true ? "\\p{N}" : "\\p{N}+" }, behavior: "Isolated", invert: false };
}

function eosOfConfig(folder: string): number {
  for (const name of ["generation_config.json", "config.json"]) {
    const value = readJsonFile(join(folder, name), largestConfigBytes)?.["eos_token_id"];
    const id: unknown = Array.isArray(value) ? value[0] : value;
    if (typeof id === "number" && Number.isSafeInteger(id) && id >= 0) return id;
  }
  throw new UserError({
    what: "The tokenizer names no end token that it knows.",
    where: `${join(folder, "tokenizer_config.json")}: eos_token`,
    fix: "Set eos_token to the token that ends an answer, for example \"<|im_end|>\".",
  });
}
