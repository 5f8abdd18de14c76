// --map, --split, --over-long and --template: read as they are written, stored with the run, refused with words.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runCli } from "../../main/cli/main.ts";
import { parseMap } from "../../main/cli/row-options.ts";
import { fakeReaders, fakeWorld, jobsModule, type FakeWorld } from "../services/fake-app.ts";

describe("--map", () => {
  test.each([
    ["prompt=q,completion=a", { kind: "pair", prompt: "q", completion: "a" }],
    ["prompt = q , completion=a=b,system=s", { kind: "pair", prompt: "q", completion: "a=b", system: "s" }],
    ["messages=chat,tools=t", { kind: "conversation", messages: "chat", tools: "t" }],
    ["text=body", { kind: "text", text: "body" }],
    ['{"prompt": "a, b", "completion": "x=y"}', { kind: "pair", prompt: "a, b", completion: "x=y" }],
  ])("%s", (text, mapping) => {
    expect(parseMap(text)).toEqual(mapping);
  });

  test.each([["prompt=q", /needs prompt and completion/], ["promt=q,completion=a", /no promt|needs prompt/], ["q", /not MEANING=COLUMN/], ["prompt=q,completion=a,text=t", /no prompt/], ["{prompt", /not valid JSON/]])("%s is refused with what to write", (text, problem) => {
    expect(() => parseMap(text)).toThrow(problem);
  });
});

let world: FakeWorld;
beforeEach(() => (world = fakeWorld()));
afterEach(() => world.remove());

async function cli(args: string[]) {
  let [stdout, stderr] = ["", ""];
  const io = { stdout: { write: (text: string) => (stdout += text) }, stderr: { write: (text: string) => (stderr += text) }, signal: new AbortController().signal };
  const code = await runCli(args, io, { home: world.home, engine: { jobsModule, graceMs: 500 }, readers: fakeReaders, pollMs: 50 });
  return { code, stdout, stderr };
}

test("a run by columns, split, template and over-long rows of one's own is stored so and shows what became of its rows", async () => {
  const data = join(world.folder, "set");
  mkdirSync(data);
  writeFileSync(join(data, "test-0.jsonl"), '{"frage": "1 + 1", "antwort": "2"}\n');
  const args = ["run", "--model", world.model("plain"), "--questions", world.questions, "--data", data, "--samples", "3", "--steps", "6"];
  const refused = await cli([...args, "--split", "test", "--json"]);
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("--map prompt=COLUMN,completion=COLUMN") });
  const done = await cli([...args, "--split", "test", "--map", "prompt=frage,completion=antwort", "--template", "alpaca", "--over-long", "cut-prompt", "--json"]);
  expect(done.code).toBe(0);
  expect(JSON.parse(done.stdout)).toMatchObject({
    run: {
      config: { mapping: { kind: "pair", prompt: "frage", completion: "antwort" }, split: "test", template: "alpaca", chatTemplate: null, overLong: "cut-prompt" },
      rows: { counts: { kept: 8 }, split: "test" },
    },
  });
  const shown = await cli(["runs", "show", "1"]);
  expect(shown.stdout).toContain("Rows: 8 of 10 kept");
  expect(shown.stdout).toContain("2 longer than 512 tokens (such as row 4)");
});

test("a wrong choice names the choices", async () => {
  const { code, stderr } = await cli(["run", "--model", "m", "--questions", "q", "--data", "d", "--over-long", "squeeze"]);
  expect([code, /drop, cut-prompt, refuse/.test(stderr)]).toEqual([1, true]);
});
