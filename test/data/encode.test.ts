// Which tokens are trained, shown as text: «trained» stands in angle quotes.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openTokenizer } from "../../native-models/checkpoint/tokenizer.ts";
import type { ChatMessage, Tokenizer } from "../../native-models/checkpoint/types.ts";
import { encodeRow, type EncodedRow, type TemplateName } from "../../native-models/data/encode.ts";
import { renderPrompt } from "../../native-models/data/prompt.ts";
import type { TrainingTurn } from "../../native-models/data/rows/types.ts";
import { writeTinyTokenizer } from "../support/tiny-model.ts";
import { tempFolder } from "./temp-files.ts";

const folder = tempFolder({});
writeTinyTokenizer(folder);
const tokenizer = openTokenizer(folder);

const say = (role: TrainingTurn["role"], content: string, isTrained = role === "assistant" || role === "text"): TrainingTurn => ({ role, content, isTrained });

function shown(row: EncodedRow, by: Tokenizer = tokenizer): string {
  let text = "";
  let open = false;
  for (const [i, id] of row.ids.entries()) {
    const isTrained = row.isTrained[i] === 1;
    if (isTrained !== open) text += (open = isTrained) ? "«" : "»";
    text += by.decode([id], { keepSpecial: true });
  }
  return text + (open ? "»" : "");
}

describe("training marks", () => {
  test("chat: the answer and its closing mark are trained, the prompt and the line break after are not", () => {
    expect(shown(encodeRow({ turns: [say("user", "hi"), say("assistant", "yes")] }, tokenizer, "chat"))).toBe(
      "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n«yes<|im_end|>»",
    );
  });

  test("chat: every assistant turn is trained and no other; a question left open at the end is left out", () => {
    const turns = [say("system", "s"), say("user", "a"), say("assistant", "b"), say("tool", "t"), say("assistant", "c"), say("user", "d")];
    expect(shown(encodeRow({ turns }, tokenizer, "chat"))).toBe(
      "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n«b<|im_end|>»\n<|im_start|>tool\nt<|im_end|>\n<|im_start|>assistant\n«c<|im_end|>»",
    );
  });

  test("chat: an assistant turn may be kept out of the loss, and a blank answer is", () => {
    const turns = [say("user", "a"), say("assistant", "b", false), say("user", "c"), say("assistant", " "), say("user", "d"), say("assistant", "e")];
    expect(shown(encodeRow({ turns }, tokenizer, "chat")).match(/«.*?»/gs)).toEqual(["«e<|im_end|>»"]);
  });

  test("alpaca: one space parts answer from prompt, and end-of-text is trained", () => {
    const header = "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n";
    const first = `${header}### Instruction:\nadd\n\n### Response:« 3<|im_end|>»`;
    expect(shown(encodeRow({ turns: [say("user", "add"), say("assistant", "3")] }, tokenizer, "alpaca"))).toBe(first);
    const turns = [say("user", "add"), say("assistant", "3"), say("user", "more"), say("assistant", "4")];
    expect(shown(encodeRow({ turns }, tokenizer, "alpaca"))).toBe(`${first}\n\n### Instruction:\nmore\n\n### Response:« 4<|im_end|>»`);
    const withSystem = [say("system", "Be brief."), say("user", "add"), say("assistant", "3")];
    expect(shown(encodeRow({ turns: withSystem }, tokenizer, "alpaca"))).toBe("Be brief.\n\n### Instruction:\nadd\n\n### Response:« 3<|im_end|>»");
  });

  test("plain text is trained whole but for its first token, and ends in end-of-text", () => {
    expect(shown(encodeRow({ turns: [say("text", "xyz")] }, tokenizer, "chat"))).toBe("x«yz<|im_end|>»");
  });

  test("a row without an answer has nothing to train", () => {
    for (const template of ["chat", "alpaca"] as const) expect(encodeRow({ turns: [say("user", "hm")] }, tokenizer, template).isTrained).not.toContain(1);
  });

  test("what stands before the last answer is exactly what the model is asked with", () => {
    const text = fc.string({ unit: "grapheme", maxLength: 12 }).filter((s) => s.trim() !== "" && !s.includes("<|"));
    const turns = fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(turns, fc.constantFrom<TemplateName>("chat", "alpaca"), (pairs, template) => {
        const conversation = pairs.flatMap(([q, a]) => [say("user", q), say("assistant", a)]);
        const { ids, isTrained } = encodeRow({ turns: conversation }, tokenizer, template);
        const answerStart = isTrained.lastIndexOf(0) + 1;
        const prompt = renderPrompt(conversation.slice(0, -1) as ChatMessage[], tokenizer, template);
        expect(tokenizer.decode([...ids.subarray(0, answerStart)], { keepSpecial: true })).toBe(prompt);
        const answer = tokenizer.decode([...ids.subarray(answerStart)], { keepSpecial: true });
        expect(answer).toBe(`${template === "alpaca" ? " " : ""}${pairs.at(-1)![1]}<|im_end|>`);
      }),
      { numRuns: 60 },
    );
  });
});

describe("templates of other models", () => {
  const withTemplate = (chatTemplate: Tokenizer["chatTemplate"]): Tokenizer => ({ ...tokenizer, chatTemplate });
  const conversation = { turns: [say("user", "a"), say("assistant", " b "), say("user", "c"), say("assistant", "d")] };

  test("a template that trims answers and closes the whole with a second mark trains each answer's own mark", () => {
    const phi = withTemplate((messages, { addGenerationPrompt }) =>
      messages.map((m) => `<|im_start|>${m.role}\n${m.content.trim()}<|im_end|>\n`).join("") + (addGenerationPrompt ? "<|im_start|>assistant\n" : "<|endoftext|>"),
    );
    expect(shown(encodeRow(conversation, phi, "chat")).match(/«.*?»/gs)).toEqual(["«b<|im_end|>»", "«d<|im_end|>»"]);
  });

  test("a template without a closing mark gets end-of-text", () => {
    const bare = withTemplate((messages, { addGenerationPrompt }) => messages.map((m) => `${m.role}: ${m.content}\n`).join("") + (addGenerationPrompt ? "assistant: " : ""));
    expect(shown(encodeRow({ turns: [say("user", "a"), say("assistant", "b")] }, bare, "chat"))).toBe("user: a\nassistant: «b<|im_end|>»");
  });

  test("a template that rewrites earlier turns is refused for several turns, used for one", () => {
    const forgetful = withTemplate((messages, { addGenerationPrompt }) =>
      messages.map((m, i) => (m.role === "assistant" && i < messages.length - 1 ? "" : `<|im_start|>${m.content}<|im_end|>`)).join("") + (addGenerationPrompt ? "<|im_start|>" : ""),
    );
    expect(() => encodeRow(conversation, forgetful, "chat")).toThrow(/writes the turns before turn 4 differently/);
    expect(shown(encodeRow({ turns: conversation.turns.slice(2) }, forgetful, "chat"))).toContain("«d<|im_end|>»");
  });

  test("a model without a chat template says which template to choose", () => {
    expect(() => encodeRow(conversation, withTemplate(null), "chat")).toThrow(/alpaca/);
  });
});
