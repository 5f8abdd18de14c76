// Answers side by side and the surprise of their tokens, on a tiny model with two runs of its own.

import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readPeftAdapter, type PeftAdapter } from "../../native-models/adapter/peft.ts";
import { openCheckpoint } from "../../native-models/checkpoint/checkpoint.ts";
import { openTokenizer } from "../../native-models/checkpoint/tokenizer.ts";
import { checkpointNotes, findBest, listCheckpoints } from "../../native-models/training/checkpoint-file.ts";
import { readCheckpointAdapter } from "../../native-models/training/checkpoint-adapter.ts";
import { runAsk } from "../../main/engine/jobs/ask.ts";
import { streamText, tokenTexts } from "../../main/engine/jobs/stream-text.ts";
import { runSurprise } from "../../main/engine/jobs/surprise.ts";
import { columnPrompts } from "../../main/engine/jobs/column-prompts.ts";
import { holdRows, takeHeld, warmAnswerer } from "../../main/engine/jobs/warm-answerer.ts";
import type { JobEvent } from "../../main/engine/events.ts";
import type { AskColumn, AskJob, SurpriseJob } from "../../main/engine/answer-jobs.ts";
import type { AskResult } from "../../main/engine/job-results.ts";
import { tinyRun, train, type TinyRun } from "../support/tiny-run.ts";

const tolerance = 1e-5; // nats; float32 logits of order 10

let folder: string;
let run: TinyRun;
/** Base, two adapters, and the second one's checkpoint before its last. */
let adapters: (string | null)[];
let runFolder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-ask-"));
  run = tinyRun(folder);
  const [first, second] = [run.job("lora", await run.start("lora"), { learningRate: 0.05 }), run.job("v2", await run.start("lora-null-v2"), { learningRate: 0.05 })];
  const results = [await train(first), await train(second)];
  runFolder = second.out;
  adapters = [null, ...results.map(({ result }) => result!.adapter), listCheckpoints(join(runFolder, "checkpoints"))[1]!.path];
}, 60_000);
afterAll(async () => {
  await (await warmAnswerer(run.model)).answerer.release();
  rmSync(folder, { recursive: true, force: true });
});

const sampling: AskJob["sampling"] = { temperature: 0, topP: 1, topK: 0, minP: 0, repetitionPenalty: 1, maxNewTokens: 12, seed: 3 };
const says = (prompt: string, ...before: string[]): AskColumn["messages"] => [
  ...before.flatMap((answer, i) => [{ role: "user" as const, content: `question ${i}` }, { role: "assistant" as const, content: answer }]),
  { role: "user", content: prompt },
];
const signal = new AbortController().signal;

function job(columns: AskColumn[], changes: Partial<AskJob["sampling"]> = {}): AskJob {
  return { kind: "ask", model: run.model, columns, template: "chat", sampling: { ...sampling, ...changes } };
}

async function ask(spec: AskJob): Promise<{ result: AskResult; events: JobEvent[] }> {
  const events: JobEvent[] = [];
  return { result: await runAsk(spec, (event) => events.push(event), signal), events };
}

describe("answers side by side", () => {
  test.each([
    { name: "greedy", changes: {} },
    { name: "drawn with every setting", changes: { temperature: 0.9, topP: 0.95, topK: 50, minP: 0.01, repetitionPenalty: 1.1 } },
  ])("of four models in one batch are those that each gives alone ($name)", async ({ changes }) => {
    const columns = adapters.map((adapter) => ({ adapter, messages: says("what is the sky") }));
    const { result } = await ask(job(columns, changes));
    for (const [i, column] of columns.entries()) expect((await ask(job([column], changes))).result.answers).toEqual([result.answers[i]]);
    expect(new Set(result.answers.map(({ ids }) => ids.join())).size).toBeGreaterThan(2);
  });

  test("go on from each column's own earlier answers", async () => {
    const columns = [{ adapter: adapters[0]!, messages: says("and then", "old maps") }, { adapter: adapters[1]!, messages: says("and then", "a stone and two rivers") }];
    const { result } = await ask(job(columns));
    for (const [i, column] of columns.entries()) expect((await ask(job([column]))).result.answers).toEqual([result.answers[i]]);
    expect(result.prompt).toContain("old maps");
  });

  test("of later turns go on from what the turns before left, and are those that each column gives anew", async () => {
    const said: string[][] = [[], [], []];
    for (let turn = 0; turn < 4; turn++) {
      const columns = said.map((answers, i): AskColumn => ({ adapter: adapters[i]!, messages: says(`question ${turn}`, ...answers) }));
      const { result } = await ask(job(columns));
      const feeds = columnPrompts(await warmAnswerer(run.model), job(columns)).adapters;
      const held = takeHeld(feeds)!;
      expect(held.rows.map(({ ids }) => ids.length > 10)).toEqual([true, true, true]);
      // Alone, and with other adapters at hand, nothing is held of this conversation.
      for (const [i, column] of columns.entries()) expect((await ask(job([column]))).result.answers).toEqual([result.answers[i]]);
      expect(takeHeld(columnPrompts(await warmAnswerer(run.model), job(columns)).adapters)).toBeNull();
      const again = columnPrompts(await warmAnswerer(run.model), job(columns)).adapters;
      holdRows(again, held);
      said.forEach((answers, i) => answers.push(result.answers[i]!.text));
    }
  });

  test("stream every token with its text, which together are the answers", async () => {
    const { result, events } = await ask(job(adapters.slice(0, 2).map((adapter) => ({ adapter, messages: says("who was in time") }))));
    for (const [column, answer] of result.answers.entries()) {
      const tokens = events.flatMap((event) => (event.type === "token" && event.column === column ? [event] : []));
      expect(tokens.map(({ id }) => id)).toEqual(answer.ids);
      expect(events.filter((event) => event.type === "column-ended" && event.column === column)).toEqual([{ type: "column-ended", column, stopped: answer.stopped }]);
      expect(answer.text.startsWith(tokens.map(({ text }) => text).join(""))).toBe(true);
    }
  });

  test("to a conversation longer than the model takes are refused with both numbers", async () => {
    const long = job([{ adapter: null, messages: says("what is ".repeat(600)) }]);
    await expect(runAsk(long, () => {}, signal)).rejects.toThrow(/The conversation has \d+ tokens; the model takes 1 to 511\./);
  });
});

describe("a checkpoint of a training", () => {
  test("asked as it is, is the adapter that its run exported from it", () => {
    const checkpoint = openCheckpoint(run.model);
    const newest = listCheckpoints(join(runFolder, "checkpoints"))[0]!.path;
    const [exported, read] = [readPeftAdapter(join(runFolder, "adapter"), checkpoint), readCheckpointAdapter(newest, checkpoint)];
    const byName = ({ modules }: PeftAdapter) => modules.toSorted((x, y) => (x.name < y.name ? -1 : 1));
    expect(byName(read)).toEqual(byName(exported));
    expect(byName(readCheckpointAdapter(adapters[3]!, checkpoint))).not.toEqual(byName(exported));
  });

  test("says the template of its training, and when it is gone", () => {
    expect(checkpointNotes(adapters[3]!)?.template).toBe("chat");
    expect(() => checkpointNotes(join(runFolder, "checkpoints", "step-00000001.safetensors"))).toThrow(/step-00000001.* is no longer there/);
    expect(findBest(join(runFolder, "checkpoints"))).toBeNull();
  });

  test("beside another run's start is refused", async () => {
    const checkpoint = openCheckpoint(run.model);
    renameSync(join(runFolder, "start"), join(runFolder, "start-kept"));
    try {
      expect(() => readCheckpointAdapter(adapters[3]!, checkpoint)).toThrow(/holds no start\.json/);
    } finally {
      renameSync(join(runFolder, "start-kept"), join(runFolder, "start"));
    }
  });
});

describe("surprise", () => {
  async function surprises(histories: string[][]): Promise<void> {
    const columns = adapters.map((adapter, i) => ({ adapter, messages: says("what is", ...(histories[i] ?? [])) }));
    const { result } = await ask(job(columns));
    const spec: SurpriseJob = { kind: "surprise", model: run.model, template: "chat", columns: columns.map((column, i) => ({ ...column, ids: result.answers[i]!.ids })) };
    const { answers } = await runSurprise(spec, () => {}, signal);

    const warm = await warmAnswerer(run.model);
    const { rows, adapters: feeds } = columnPrompts(warm, spec);
    let worst = 0;
    for (const [column, { ids }] of spec.columns.entries()) {
      expect(answers[column]!.texts.join("")).toBe(result.answers[column]!.text);
      for (const [model, { adapter }] of rows.entries()) {
        const begun = await warm.answerer.begin([{ ids: rows[column]!.ids, adapter }], { adapters: feeds });
        const [alone] = await begun.score([ids]);
        alone!.tokenLogLikelihoods.forEach((value, t) => (worst = Math.max(worst, Math.abs(answers[column]!.nats[model]![t]! + value))));
        expect(answers[column]!.nats[model]).toHaveLength(ids.length);
      }
    }
    console.log(`surprise of ${columns.length} answers under ${columns.length} models: worst difference ${worst.toExponential(1)} nats from one by one`);
    expect(worst).toBeLessThan(tolerance);
  }

  test("of every token under every model is what the answerer scores, one by one", () => surprises([]));
  test("stands in each answer's own conversation", () => surprises([["old maps"], ["a stone and two rivers"], [], ["in time"]]));

  test("of an answer with no token is empty", async () => {
    const columns = [{ adapter: null, messages: says("what is"), ids: [] }, { adapter: adapters[1]!, messages: says("what is"), ids: [5, 6] }];
    const { answers } = await runSurprise({ kind: "surprise", model: run.model, template: "chat", columns }, () => {}, signal);
    expect(answers.map(({ texts, nats }) => [texts.length, nats.map((row) => row.length)])).toEqual([[0, [0, 0]], [2, [2, 2]]]);
  });
});

test("the texts of tokens are those of the whole, with a character of several tokens on its last one", () => {
  const tokenizer = openTokenizer(run.model);
  const text = "a stone 日本 — two rivers ✓ and then 🙂";
  const ids = tokenizer.encode(text);
  const texts = tokenTexts(tokenizer, ids);
  expect(texts).toHaveLength(ids.length);
  expect(texts.join("")).toBe(tokenizer.decode(ids));
  expect(texts.filter((each) => each === "").length).toBeGreaterThan(0);
  const half = streamText(tokenizer);
  const given = ids.slice(0, -1).map((id) => half.add(id)).join("");
  expect(given).not.toContain("\uFFFD");
  expect(half.rest().length).toBeGreaterThan(0);
});
