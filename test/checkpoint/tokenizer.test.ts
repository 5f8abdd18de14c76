// Text to ids and back, and chat templates.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compileChatTemplate, findChatTemplate } from "../../native-models/checkpoint/chat-template.ts";
import { openTokenizer } from "../../native-models/checkpoint/tokenizer.ts";
import type { ChatMessage, Tokenizer } from "../../native-models/checkpoint/types.ts";
import { UserError } from "../../native-models/errors.ts";
import { goldenFile, goldenTest, realModel } from "../support/shared-paths.ts";
import { writeTinyTokenizer } from "../support/tiny-model.ts";

let folder: string;
let tiny: Tokenizer;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-tokenizer-"));
  writeTinyTokenizer(folder);
  tiny = openTokenizer(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Golden {
  strings: string[];
  ids: number[][];
  chat: ChatMessage[][];
  chat_rendered: string[];
}

goldenTest("the real tokenizer gives transformers' ids for all 136 strings, and their text back", () => {
  const golden = JSON.parse(readFileSync(goldenFile("tokens.json"), "utf8")) as Golden;
  const tokenizer = openTokenizer(realModel());
  expect(golden.strings.length).toBe(136);
  expect(tokenizer.encodeBatch(golden.strings)).toEqual(golden.ids);
  expect(golden.ids.map((ids) => tokenizer.decode(ids, { keepSpecial: true }))).toEqual(golden.strings);
  expect(tokenizer).toMatchObject({ vocabulary: 49_152, eosId: 2, bosId: 1 });
});

goldenTest("the real chat template gives transformers' text", () => {
  const golden = JSON.parse(readFileSync(goldenFile("tokens.json"), "utf8")) as Golden;
  const { chatTemplate } = openTokenizer(realModel());
  expect(golden.chat.map((messages) => chatTemplate!(messages, { addGenerationPrompt: true }))).toEqual(golden.chat_rendered);
});

describe("the tiny tokenizer", () => {
  test("merges what its list says, in order", () => {
    expect(tiny.encode(" the").map((id) => tiny.tokenText(id))).toEqual([" the"]);
    expect(tiny.encode("other").map((id) => tiny.tokenText(id))).toEqual(["o", "t", "he", "r"]);
    expect(tiny.encode("")).toEqual([]);
  });

  test("gives any text back, whatever it is made of", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(tiny.decode(tiny.encode(text), { keepSpecial: true })).toBe(text);
      }),
    );
  });

  test("turns special tokens written out into their ids and leaves them out of decoded text", () => {
    const ids = tiny.encode("<|im_start|>a<|im_end|>");
    expect([ids[0], ids.at(-1)]).toEqual([1, 2]);
    expect(tiny.decode(ids)).toBe("a");
    expect(tiny.decode(ids, { keepSpecial: true })).toBe("<|im_start|>a<|im_end|>");
    expect(tiny.tokenText(2)).toBe("<|im_end|>");
  });

  test("keeps spaces before punctuation: nothing is cleaned up", () => {
    expect(tiny.decode(tiny.encode("a , b 's ."))).toBe("a , b 's .");
  });

  test("passes over ids it does not have", () => {
    expect(tiny.decode([300, 1e9, -1, ...tiny.encode("x")])).toBe("x");
    expect(tiny.tokenText(5000)).toBe("");
  });
});

describe("a tokenizer that cannot be used", () => {
  test.each([
    ["", "not valid JSON"],
    ["[]", "no JSON object"],
    ["{}", "cannot be loaded"],
    ['{"model":{"type":"Strange"}}', "cannot be loaded"],
  ])("says so: %j", (content, words) => {
    const place = mkdtempSync(join(folder, "bad-"));
    writeFileSync(join(place, "tokenizer.json"), content);
    expect(() => openTokenizer(place)).toThrow(words);
    expect(() => openTokenizer(place)).toThrow(UserError);
  });

  test("is missing", () => {
    expect(() => openTokenizer(join(folder, "nowhere"))).toThrow("no tokenizer.json");
  });
});

describe("a chat template", () => {
  const tokens = { bos_token: "<s>", eos_token: "</s>", pad_token: "", unk_token: "" };
  const ask = [{ role: "user" as const, content: "Hi" }];
  const render = (text: string): string => compileChatTemplate(text, "test", tokens)(ask, { addGenerationPrompt: true });

  test("sees the messages, the special tokens and whether an answer is asked for", () => {
    expect(render("{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m['content'] | trim }}{% endfor %}{{ eos_token if add_generation_prompt }}")).toBe("<s>[user] Hi</s>");
    expect(render("{% for i in range(2, 8, 3) %}{{ i }},{% endfor %}{% set x = none %}{{ x is none and true }}")).toBe("2,5,true");
  });

  test("is found in chat_template.jinja, then in tokenizer_config.json as text or by the name default", () => {
    const place = mkdtempSync(join(folder, "template-"));
    expect(findChatTemplate(place, {})).toBeNull();
    expect(findChatTemplate(place, { chat_template: "a" })?.text).toBe("a");
    expect(findChatTemplate(place, { chat_template: [{ name: "tool_use", template: "x" }, { name: "default", template: "b" }] })?.text).toBe("b");
    expect(() => findChatTemplate(place, { chat_template: [{ name: "x" }] })).toThrow("default");
    writeFileSync(join(place, "chat_template.jinja"), "c");
    expect(findChatTemplate(place, { chat_template: "a" })?.text).toBe("c");
  });

  test.each([
    ["refuses by its own word", "{{ raise_exception('roles must alternate') }}", "roles must alternate"],
    ["is malformed", "{% for %}", "cannot be parsed"],
    ["asks for a range without end", "{% for i in range(10**12) %}x{% endfor %}", "stopped"],
    ["asks for a huge range", "{% for i in range(1000000000000) %}x{% endfor %}", "beyond 100000"],
    ["grows without bound", "{% set ns = namespace(s='aaaaaaaaaaaaaaaa') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s }}", "chat template"],
  ])("that %s is a user error", (_, text, words) => {
    expect(() => render(text)).toThrow(words);
    expect(() => render(text)).toThrow(UserError);
  });

  test("that loops in loops is stopped by the clock", { timeout: 20_000 }, () => {
    const loops = [0, 1, 2, 3, 4].map((i) => `{% for i${i} in range(100000) %}`).join("") + "{% endfor %}".repeat(5);
    expect(() => render(loops)).toThrow("timed out");
  });

  test("cannot reach the process through constructors", () => {
    expect(() => render("{{ messages.constructor.constructor('return process')() }}")).toThrow(UserError);
    expect(render("{{ messages[0].__proto__ }}")).not.toContain("object");
  });
});
