// The template that an adapter was trained with stays with it.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readAdapterNotes } from "../../native-models/adapter/adapter-notes.ts";
import { writePeftAdapter } from "../../native-models/adapter/peft.ts";
import { openTokenizer } from "../../native-models/checkpoint/tokenizer.ts";
import { templateText, viewTemplate } from "../../native-models/data/template-text.ts";
import { writeTinyTokenizer } from "../support/tiny-model.ts";
import { tempFolder } from "../data/temp-files.ts";

const adapter = { baseModelName: "tiny", rank: 1, alpha: 1, layers: 1, modules: [{ name: "model.layers.0.self_attn.q_proj", in: 2, out: 2, a: new Float32Array(2), b: new Float32Array(2) }] };

test("notes written with an adapter are read again, also over an older adapter", () => {
  const folder = join(tempFolder({}), "adapter");
  writePeftAdapter(folder, adapter);
  expect(readAdapterNotes(folder)).toBeNull();
  writePeftAdapter(folder, { ...adapter, notes: { template: "alpaca", templateText: "### {instruction}" } });
  expect(readAdapterNotes(folder)).toEqual({ template: "alpaca", templateText: "### {instruction}" });
  expect(readdirSync(folder).sort()).toEqual(["README.md", "adapter_config.json", "adapter_model.safetensors", "nullspace.json"]);
});

test("notes that are none are refused by file and field", () => {
  const folder = tempFolder({ "nullspace.json": '{"version": 1, "template": "latin", "templateText": ""}' });
  expect(() => readAdapterNotes(folder)).toThrow(/nullspace\.json: template/);
});

test("a template is shown by its exact text and by an example with its special tokens", () => {
  const folder = tempFolder({});
  writeTinyTokenizer(folder, { addsBos: true });
  const tokenizer = openTokenizer(folder);
  expect(viewTemplate(tokenizer, "chat")).toMatchObject({
    text: expect.stringContaining("{% for message in messages %}"),
    example: "<|im_start|>user\n{instruction}<|im_end|>\n<|im_start|>assistant\n{response}<|im_end|>\n",
  });
  const alpaca = "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\n{instruction}\n\n### Response: {response}<|im_end|>";
  expect(viewTemplate(tokenizer, "alpaca")).toEqual({ name: "alpaca", text: alpaca, example: `<|im_start|>${alpaca}` });
});

test("a stored chat template takes the place of the model's own", () => {
  const folder = tempFolder({});
  writeTinyTokenizer(folder);
  const stored = openTokenizer(folder).withChatTemplate("{{ messages[0]['content'] }}|{{ eos_token }}", "the run");
  expect(stored.chatTemplate!([{ role: "user", content: "hi" }], { addGenerationPrompt: true })).toBe("hi|<|im_end|>");
  expect(templateText(stored, "chat")).toContain("messages[0]");
  expect(() => stored.withChatTemplate("{% if %}", "the run")).toThrow(/the run/);
});
