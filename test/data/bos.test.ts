// Where BOS stands when the model's tokenizer adds it (Llama 2 and 3), as transformers has it: before plain text and the
// Alpaca prompt, once; a chat template writes its own.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openTokenizer } from "../../native-models/checkpoint/tokenizer.ts";
import { calibrationWindows } from "../../native-models/data/calibration-text.ts";
import { encodeRow } from "../../native-models/data/encode.ts";
import { encodeFromStart } from "../../native-models/data/from-start.ts";
import { encodePrompt, renderPrompt } from "../../native-models/data/prompt.ts";
import type { TrainingRow } from "../../native-models/data/rows/types.ts";
import { writeTinyTokenizer } from "../support/tiny-model.ts";
import { tempFolder } from "./temp-files.ts";

const bos = 1;
const folder = tempFolder({});
writeTinyTokenizer(folder, { addsBos: true });
const adding = openTokenizer(folder);
const plainFolder = tempFolder({});
writeTinyTokenizer(plainFolder);
const plain = openTokenizer(plainFolder);

const row: TrainingRow = { turns: [{ role: "user", content: "what is", isTrained: false }, { role: "assistant", content: "the answer", isTrained: true }] };
const text: TrainingRow = { turns: [{ role: "text", content: "what is", isTrained: true }] };
const countBos = (ids: ArrayLike<number>): number => Array.from(ids).filter((id) => id === bos).length;

test("a tokenizer says whether it adds BOS, by its post-processor", () => {
  expect([adding.addsBos, plain.addsBos]).toEqual([true, false]);
});

test("Llama's own tokenizer class goes by add_bos_token, another class by tokenizer.json alone", () => {
  const openAs = (config: object): boolean => {
    const own = tempFolder({});
    writeTinyTokenizer(own, { addsBos: false });
    writeFileSync(join(own, "tokenizer_config.json"), JSON.stringify({ bos_token: "<|im_start|>", eos_token: "<|im_end|>", ...config }));
    return openTokenizer(own).addsBos;
  };
  expect(openAs({ tokenizer_class: "LlamaTokenizerFast", add_bos_token: true })).toBe(true);
  expect(openAs({ tokenizer_class: "Qwen2Tokenizer", add_bos_token: true })).toBe(false);
});

test("a text that has its BOS written out gets no second one", () => {
  expect(encodeFromStart("<|im_start|>what", adding)).toEqual(adding.encode("<|im_start|>what"));
});

describe("with a tokenizer that adds BOS", () => {
  test("an Alpaca row begins with one BOS, which is not trained", () => {
    const encoded = encodeRow(row, adding, "alpaca");
    expect(Array.from(encoded.ids)).toEqual([bos, ...encodeRow(row, plain, "alpaca").ids]);
    expect(encoded.isTrained[0]).toBe(0);
  });

  test("plain text begins with BOS, and its own first token is then trained", () => {
    const encoded = encodeRow(text, adding, "chat");
    expect(encoded.ids[0]).toBe(bos);
    expect(Array.from(encoded.isTrained)).toEqual([0, ...Array.from({ length: encoded.ids.length - 1 }, () => 1)]);
  });

  test("a chat row is what the template wrote, and nothing before it", () => {
    expect(encodeRow(row, adding, "chat")).toEqual(encodeRow(row, plain, "chat"));
  });

  test.each(["chat", "alpaca", "none"] as const)("template %s: the prompt of an answer is the beginning of its training row", (template) => {
    const prompt = encodePrompt(renderPrompt(row.turns.slice(0, 1) as { role: "user"; content: string }[], adding, template), adding, template);
    const trainedOn = template === "none" ? encodeRow(text, adding, "chat") : encodeRow(row, adding, template);
    expect(Array.from(trainedOn.ids.subarray(0, prompt.length))).toEqual(prompt);
    expect(countBos(prompt)).toBe(template === "chat" ? 2 : 1); // the tiny chat template opens every turn with it
  });

  test("each random calibration window begins with BOS, consecutive ones only once", () => {
    const questions = Array.from({ length: 40 }, (_, i) => ({ question: `what is made of ${i}` }));
    const random = calibrationWindows(questions, adding, { samples: 4, length: 16, seed: 3 });
    expect([0, 1, 2, 3].map((i) => random.ids[i * 16])).toEqual([bos, bos, bos, bos]);
    expect(countBos(random.ids)).toBe(4);
    const consecutive = calibrationWindows(questions, adding, { samples: 4, length: 16, seed: null });
    expect([consecutive.ids[0], countBos(consecutive.ids)]).toEqual([bos, 1]);
  });
});
