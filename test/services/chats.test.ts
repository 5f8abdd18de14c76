// Conversations side by side: turns and branches, what is kept of them, blind votes. The fake engine answers "pid N says
// hello" in every column; a fake engine of one's own looks at the jobs.

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Engine } from "../../main/engine/host.ts";
import type { AskJob, SurpriseJob } from "../../main/engine/answer-jobs.ts";
import type { JobSpec } from "../../main/engine/jobs.ts";
import { openApp, type App } from "../../main/services/app.ts";
import { askParams, type Subject } from "../../main/services/params/chats.ts";
import type { AskEvent, TurnView } from "../../main/services/shapes/chats.ts";
import { openStore } from "../../main/db/store.ts";
import { collect, fakeReaders, fakeWorld, type FakeWorld } from "./fake-app.ts";

let world: FakeWorld;
let model: string;
let app: App;
let jobs: JobSpec[];
/** What the engine says in a job's columns, one token a word; null: it waits for a stop. */
let says: (job: AskJob, column: number) => string[];
let waits: boolean;

beforeEach(() => {
  world = fakeWorld();
  model = world.model("plain");
  jobs = [];
  waits = false;
  says = (job, column) => [job.columns[column]!.adapter === null ? "base" : "tuned", " words"];
  app = open();
});
afterEach(async () => {
  await app.close();
  await world.remove();
});

function open(): App {
  return openApp({ home: world.home, engine, readers: { ...fakeReaders, adapterNotes: () => null }, pollMs: 50 });
}

const engine: Engine = {
  async run(spec, { emit, signal }) {
    jobs.push(structuredClone(spec));
    if (spec.kind === "surprise") {
      const nats = spec.columns.map(({ adapter }) => (adapter === null ? 1 : 2));
      return { type: "done", result: { kind: "surprise", answers: spec.columns.map(({ ids }) => ({ texts: ids.map(String), nats: nats.map((value) => ids.map(() => value)) })), elapsedMs: 1 } as never };
    }
    const job = spec as AskJob;
    if (job.model.includes("wrong")) return { type: "failed", error: { what: "no", where: "there", fix: "so", isBug: false, stack: null }, hasDied: false, lastCheckpointStep: null };
    const words = job.columns.map((_, column) => says(job, column));
    words.forEach((list, column) => list.forEach((text, id) => emit({ type: "token", column, id, text })));
    if (waits && words.length > 1) emit({ type: "column-ended", column: 0, stopped: "eos" });
    if (waits) await new Promise((resolve) => signal.addEventListener("abort", resolve));
    if (signal.aborted) return { type: "cancelled" };
    const answers = words.map((list) => ({ text: list.join(""), ids: list.map((_, id) => id), stopped: "eos" as const }));
    return { type: "done", result: { kind: "ask", prompt: "as seen", answers, tokensPerSecond: 5, elapsedMs: 1 } as never };
  },
  close: async () => {},
};

/** A finished run of the model, as the store has it. */
function finishedRun(of = model): number {
  const store = openStore(app.home.database);
  const id = store.runs.insert({ name: "a run", kind: "full", config: { kind: "full" }, configKey: "k", modelPath: of, modelName: "plain", owner: "o", createdMs: 1 }, (newId) => join(world.home, "runs", String(newId)));
  const folder = join(world.home, "runs", String(id));
  mkdirSync(join(folder, "adapter"), { recursive: true });
  mkdirSync(join(folder, "checkpoints"));
  for (const name of ["step-00000010", "step-00000020", "best-00000010"]) writeFileSync(join(folder, "checkpoints", `${name}.safetensors`), "");
  store.runs.claim(id, "o", 1);
  store.runs.setAdapter(id, "o", join(folder, "adapter"));
  store.runs.end(id, "o", "done", null, 2);
  store.close();
  return id;
}

const base: Subject = { kind: "base" };
const tunedBy = (runId: number, at: Extract<Subject, { kind: "run" }>["at"] = "adapter"): Subject => ({ kind: "run", runId, at });

type Asked = Extract<AskEvent, { type: "done" }>;

async function ask(given: Parameters<typeof askParams.parse>[0] & object): Promise<Asked> {
  const events = await collect(app.services.chats.ask(askParams.parse(given)));
  const done = events.at(-1);
  if (done?.type !== "done") throw new Error("not done");
  return done;
}

const messagesOf = (job: JobSpec | undefined) => (job as AskJob).columns.map(({ messages }) => messages.map(({ role, content }) => `${role}: ${content}`));

describe("a conversation", () => {
  test("goes on in every column from that column's own answers, and branches at any turn", async () => {
    const chat = { model, subjects: [base, tunedBy(finishedRun())] };
    const first = await ask({ chat, prompt: "one", system: "Be brief.", sampling: { seed: 4 } });
    const second = await ask({ chat: { id: first.chatId }, after: first.turn.id, prompt: "two" });
    expect(messagesOf(jobs.at(-1))).toEqual([["user: one", "assistant: base words", "user: two"], ["user: one", "assistant: tuned words", "user: two"]]);
    const other = await ask({ chat: { id: first.chatId }, after: first.turn.id, prompt: "two, otherwise", system: "Be long." });
    expect(messagesOf(jobs.at(-1))[1]).toEqual(["system: Be long.", "user: one", "assistant: tuned words", "user: two, otherwise"]);
    const { turns, title } = app.services.chats.show(first.chatId);
    expect(title).toBe("one");
    expect(turns.map(({ id, parentId }) => [id, parentId])).toEqual([[first.turn.id, null], [second.turn.id, first.turn.id], [other.turn.id, first.turn.id]]);
    expect(turns[0]).toMatchObject({ system: "Be brief.", sampling: { seed: 4, temperature: 0 }, places: [0, 1], tokensPerSecond: 5 });
  });

  test("survives a restart, is found by what was said in it, renamed and deleted", async () => {
    const { chatId } = await ask({ chat: { model, subjects: [base] }, prompt: "What is 50% of_it?" });
    await ask({ chat: { model, subjects: [base] }, prompt: "another" });
    await app.close();
    app = open();
    const { chats } = app.services;
    const found = (text: string) => chats.list(text, 10).map(({ title }) => title);
    expect(found("")).toEqual(["another", "What is 50% of_it?"]);
    expect(found("BASE words")).toHaveLength(2);
    expect(found("50%")).toEqual(["What is 50% of_it?"]);
    expect(found("50_")).toEqual([]);
    chats.rename(chatId, "halves");
    expect(found("halves")).toEqual(["halves"]);
    chats.forget(chatId);
    expect(found("")).toEqual(["another"]);
    expect(() => chats.show(chatId)).toThrow(`There is no conversation ${chatId}.`);
  });

  test("of the last or the best checkpoint stays with that step", async () => {
    const runId = finishedRun();
    const chat = { model, subjects: [base, tunedBy(runId), tunedBy(runId, "last"), tunedBy(runId, "best")] };
    const { chatId } = await ask({ chat, prompt: "hi" });
    const folder = join(world.home, "runs", String(runId));
    expect((jobs.at(-1) as AskJob).columns.map(({ adapter }) => adapter)).toEqual([
      null, join(folder, "adapter"), join(folder, "checkpoints", "step-00000020.safetensors"), join(folder, "checkpoints", "step-00000010.safetensors"),
    ]);
    expect(app.services.chats.show(chatId).subjects.map(({ label }) => label)).toEqual(["Base", `Run ${runId}`, `Run ${runId}, step 20`, `Run ${runId}, step 10`]);
    expect(app.services.chats.choices(model).map(({ label }) => label)).toEqual(["Base", `Run ${runId}`, `Run ${runId}, last (step 20)`, `Run ${runId}, best (step 10)`]);
    rmSync(join(folder, "checkpoints"), { recursive: true });
    await expect(ask({ chat: { id: chatId }, prompt: "again" })).rejects.toThrow("has no checkpoint of step 20 any more");
    expect(app.services.chats.show(chatId).turns).toHaveLength(1);
  });

  test.each([
    { name: "a run of another base", subjects: () => [base, tunedBy(finishedRun(world.model("other")))], says: /is of another base model/ },
    { name: "a run that is gone", subjects: () => [base, tunedBy(99)], says: /Run 99 is not there any more/ },
    { name: "the same model twice", subjects: () => [base, base], says: /Two columns are the same model/ },
    { name: "a folder that is gone", subjects: () => [base, { kind: "adapter" as const, path: join(world.folder, "gone") }], says: /There is nothing at/ },
  ])("with $name is refused, and nothing is left of it", async ({ subjects, says: words }) => {
    await expect(ask({ chat: { model, subjects: subjects() }, prompt: "hi" })).rejects.toThrow(words);
    expect(app.services.chats.list("", 10)).toEqual([]);
  });

  test("whose engine fails keeps the turns before, and none of a first one", async () => {
    await expect(ask({ chat: { model: world.model("wrong"), subjects: [base] }, prompt: "hi" })).rejects.toThrow("no");
    expect(app.services.chats.list("", 10)).toEqual([]);
  });
});

describe("a stopped answer", () => {
  test("keeps what was said, and can be gone on from", async () => {
    waits = true;
    const events: AskEvent[] = [];
    for await (const event of app.services.chats.ask(askParams.parse({ chat: { model, subjects: [base] }, prompt: "hi" }))) {
      events.push(event);
      const begun = events[0]!;
      if (event.type === "token" && begun.type === "begun") app.services.chats.stop(begun.turn.id);
    }
    const done = events.at(-1) as Asked;
    expect(done.turn.answers).toEqual([{ text: "base words", tokens: 2, stopped: "hand", hasTokens: true }]);
    waits = false;
    await ask({ chat: { id: done.chatId }, after: done.turn.id, prompt: "go on" });
    expect(messagesOf(jobs.at(-1))).toEqual([["user: hi", "assistant: base words", "user: go on"]]);
  });

  test("keeps how a column ended that was whole before", async () => {
    waits = true;
    const chat = { model, subjects: [base, tunedBy(finishedRun())] };
    for await (const event of app.services.chats.ask(askParams.parse({ chat, prompt: "hi" }))) {
      if (event.type === "column-ended") app.services.chats.stop(app.services.chats.show(1).turns[0]!.id);
      if (event.type === "done") expect(event.turn.answers.map(({ stopped }) => stopped)).toEqual(["eos", "hand"]);
    }
  });

  test("before its first token leaves nothing", async () => {
    waits = true;
    says = () => [];
    const events: string[] = [];
    for await (const event of app.services.chats.ask(askParams.parse({ chat: { model, subjects: [base] }, prompt: "hi" }))) {
      events.push(event.type);
      if (event.type === "begun") app.services.chats.stop(event.turn.id);
    }
    expect(events).toEqual(["begun", "weights"]);
    expect(app.services.chats.list("", 10)).toEqual([]);
  });
});

describe("surprise", () => {
  test("is asked of the engine once, then kept, by subject", async () => {
    const { turn } = await ask({ chat: { model, subjects: [base, tunedBy(finishedRun())] }, prompt: "hi" });
    const look = async () => (await collect(app.services.chats.surprise(turn.id))).at(-1);
    const first = await look();
    expect(first).toEqual({ type: "done", surprise: { answers: [{ texts: ["0", "1"], nats: [[1, 1], [2, 2]] }, { texts: ["0", "1"], nats: [[1, 1], [2, 2]] }] } });
    expect((jobs.at(-1) as SurpriseJob).columns.map(({ ids, messages }) => [ids, messages.length])).toEqual([[[0, 1], 1], [[0, 1], 1]]);
    expect(await look()).toEqual(first);
    expect(jobs.filter(({ kind }) => kind === "surprise")).toHaveLength(1);
  });
});

describe("a blind comparison", () => {
  const blind = () => ({ model, subjects: [base, tunedBy(finishedRun())], isBlind: true });
  const isTunedLeft = ({ turn }: Asked): boolean => turn.answers[0]!.text.startsWith("tuned");

  test("draws the places of each prompt and says them only after the vote, also in what it saves and writes out", async () => {
    const { chatId } = await ask({ chat: blind(), prompt: "hi" });
    const more = await Promise.all(Array.from({ length: 39 }, () => ask({ chat: { id: chatId }, prompt: "hi" })));
    const left = more.filter(isTunedLeft).length;
    expect(left, "fewer than 5 or more than 34 of 39 happens once in a million").toBeGreaterThan(4);
    expect(left).toBeLessThan(35);
    const { services } = app;
    for (const turn of services.chats.show(chatId).turns) expect(turn.places).toBeNull();
    expect(services.chats.export(chatId, "markdown").text).toMatch(/### Left\n[\s\S]*### Right\n/);
    const parsed = JSON.parse(services.chats.export(chatId, "json").text) as { turns: TurnView[] };
    expect(parsed.turns.every(({ places }) => places === null)).toBe(true);
    await expect(collect(services.chats.surprise(more[0]!.turn.id))).rejects.toThrow("would tell which model is which");

    const voted = services.chats.votes.vote(more[0]!.turn.id, "left");
    expect(voted.places).toEqual(isTunedLeft(more[0]!) ? [1, 0] : [0, 1]);
    expect(services.chats.export(chatId, "markdown").text).toMatch(isTunedLeft(more[0]!) ? /### Left: Run 1\n[\s\S]*Vote: left is better\./ : /### Left: Base\n/);
    expect(() => services.chats.votes.vote(more[0]!.turn.id, "right")).toThrow("voted on already");
  });

  test("gives no event that tells the places: the columns of its tokens are the places", async () => {
    const events = await collect(app.services.chats.ask(askParams.parse({ chat: blind(), prompt: "hi" })));
    expect(JSON.stringify(events)).not.toMatch(/"places":\[|"kind"|as seen|Run \d|Base/);
    const job = jobs.at(-1) as AskJob;
    const tokens = events.filter((event) => event.type === "token");
    for (const { column, text } of tokens.filter(({ text }) => text !== " words")) expect(text).toBe(job.columns[column]!.adapter === null ? "base" : "tuned");
  });

  test("goes on from each model's own answers, wherever they stood", async () => {
    const first = await ask({ chat: blind(), prompt: "one" });
    for (let i = 0; i < 8; i++) {
      await ask({ chat: { id: first.chatId }, after: first.turn.id, prompt: "two" });
      const job = jobs.at(-1) as AskJob;
      for (const { adapter, messages } of job.columns) expect(messages[1]!.content).toBe(adapter === null ? "base words" : "tuned words");
    }
  });

  test("counts votes for the run, with a sign test and an interval, until they are reset", async () => {
    const chat = blind();
    const { services } = app;
    const runId = (chat.subjects[1] as Extract<Subject, { kind: "run" }>).runId;
    const vote = async (who: "tuned" | "base" | "tie" | "both-bad") => {
      const asked = await ask({ chat, prompt: "hi" });
      const verdict = who === "tuned" || who === "base" ? ((who === "tuned") === isTunedLeft(asked) ? "left" : "right") : who;
      return services.chats.votes.vote(asked.turn.id, verdict);
    };
    for (const who of ["tuned", "tuned", "tuned", "tuned", "tuned", "base", "tie", "both-bad", "both-bad"] as const) await vote(who);
    const [tally, ...others] = services.chats.votes.tallies(runId);
    expect(others).toEqual([]);
    expect(tally).toMatchObject({ runId, own: "its adapter", rival: "the base", won: 5, lost: 1, ties: 1, bothBad: 2 });
    expect(tally!.p).toBeCloseTo(14 / 64, 12); // 2 · (1 + 6) / 2^6
    expect(tally!.share!.value).toBeCloseTo(5 / 6, 12);
    expect([tally!.share!.low, tally!.share!.high].map((value) => value.toFixed(3))).toEqual(["0.436", "0.970"]); // Wilson's formula by hand
    expect(services.runs.show(runId).votes).toEqual([tally]);
    services.chats.forget(services.chats.list("", 10)[0]!.id);
    expect(services.chats.votes.tallies(runId), "a deleted conversation's vote stays counted").toEqual([tally]);
    expect(services.chats.votes.reset(runId)).toEqual({ forgotten: 9 });
    expect(services.chats.votes.tallies(runId)).toEqual([]);
  });

  test("is of two columns", async () => {
    const runId = finishedRun();
    await expect(ask({ chat: { model, subjects: [base, tunedBy(runId), tunedBy(runId, "last")], isBlind: true }, prompt: "hi" })).rejects.toThrow("of two columns, not 3");
  });

  test("of one that is not blind has no vote", async () => {
    const { turn } = await ask({ chat: { model, subjects: [base, tunedBy(finishedRun())] }, prompt: "hi" });
    expect(() => app.services.chats.votes.vote(turn.id, "left")).toThrow(/Only answers of a blind comparison/);
  });
});
