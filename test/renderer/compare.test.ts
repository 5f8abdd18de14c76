// The conversation in view against a client that answers by a script.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { AskEvent, AskStartInput, ChatDetail, RunSummary, SubjectView, TurnView } from "../../main/rpc/contract.ts";
import { ChatsState } from "../../renderer/state/chats.svelte.ts";
import { CompareState } from "../../renderer/state/compare.svelte.ts";
import { keyOf } from "../../renderer/state/columns.svelte.ts";
import { Connection } from "../../renderer/state/connection.svelte.ts";
import { Notices } from "../../renderer/state/notices.svelte.ts";
import { RunsState } from "../../renderer/state/runs.svelte.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const base: SubjectView = { subject: { kind: "base" }, label: "Base", about: "" };
const tuned = (runId: number, at: "adapter" | "last" = "adapter"): SubjectView => ({ subject: { kind: "run", runId, at }, label: `Run ${runId}`, about: "" });
const runs = [{ id: 3, name: "r", modelPath: "/m", modelName: "m", adapter: "/r/adapter", lastCheckpointStep: 4 }, { id: 2, name: "q", modelPath: "/m", modelName: "m", adapter: "/q/adapter", lastCheckpointStep: 4 }] as RunSummary[];

interface World {
  compare: CompareState;
  chats: ChatsState;
  notices: Notices;
  asked: AskStartInput[];
  stopped: number[];
  /** What the server sends for the next prompt, after "begun". */
  say(events: (turn: TurnView) => AsyncIterable<AskEvent> | AskEvent[]): void;
}

function turnOf(id: number, given: Partial<TurnView>): TurnView {
  return { id, parentId: null, prompt: "p", system: "", sampling: { temperature: 0, topP: 1, topK: 0, minP: 0, repetitionPenalty: 1, maxNewTokens: 256, seed: 0, width: "auto" }, answers: [], places: [0, 1], verdict: null, tokensPerSecond: null, createdMs: 1, ...given };
}
const answer = (text: string, stopped: "eos" | "hand" = "eos") => ({ text, tokens: text.split(" ").length, stopped, hasTokens: true });
const doneOf = (turn: TurnView, ...texts: string[]): AskEvent => ({ type: "done", chatId: 7, turn: { ...turn, answers: texts.map((text) => answer(text)), tokensPerSecond: 20 }, prompt: "as seen" });

function world(): World {
  const asked: AskStartInput[] = [];
  const stopped: number[] = [];
  let nextId = 1;
  let script: (turn: TurnView) => AsyncIterable<AskEvent> | AskEvent[] = (turn) => [doneOf(turn, "one", "two")];
  const chat: ChatDetail = { id: 7, title: "t", modelPath: "/m", modelName: "m", subjects: [base, tuned(3)], isBlind: false, createdMs: 1, updatedMs: 1, template: "chat", turns: [] };
  const client = {
    chats: {
      async ask(input: AskStartInput) {
        asked.push(structuredClone(input));
        const turn = turnOf(nextId++, { parentId: input.after ?? null, prompt: input.prompt, system: input.system ?? "", sampling: { ...turnOf(0, {}).sampling, ...input.sampling }, places: "model" in input.chat && input.chat.isBlind ? null : [0, 1] });
        return (async function* () {
          yield { type: "begun", chatId: 7, turn } satisfies AskEvent;
          yield* script(turn);
        })();
      },
      stop: async ({ turnId }: { turnId: number }) => void stopped.push(turnId),
      show: async () => chat,
      list: async () => [{ ...chat, turns: 1 }],
      choices: async () => [base, tuned(3), tuned(3, "last"), tuned(2)],
      template: async () => ({ template: "chat", text: "", warning: null }),
      tallies: async () => [],
      vote: async ({ turnId, verdict }: { turnId: number; verdict: "left" }) => turnOf(turnId, { places: [1, 0], verdict, answers: [answer("one"), answer("two")] }),
      forget: async () => {},
    },
  };
  const connection = new Connection((events) => {
    events.opened(client as never);
    return () => {};
  });
  connection.connect();
  const notices = new Notices();
  const runsState = new RunsState(connection, notices);
  runsState.all = runs;
  const chats = new ChatsState(connection, notices);
  const compare = new CompareState(connection, notices, runsState, chats);
  compare.columns.followChoices();
  return { compare, chats, notices, asked, stopped, say: (events) => (script = events) };
}

const labels = ({ compare }: World): string[] => compare.columns.list.map(({ label }) => label);

describe("columns", () => {
  test("are the base and the newest run, or the run that was asked for, until they are chosen", async () => {
    const w = world();
    await vi.advanceTimersByTimeAsync(0);
    expect(labels(w)).toEqual(["Base", "Run 3"]);
    w.compare.change((columns) => columns.showRun(2));
    expect(labels(w)).toEqual(["Base", "Run 2"]);
    w.compare.columns.add();
    w.compare.columns.add();
    expect(labels(w)).toEqual(["Base", "Run 2", "Run 3", "Run 3"]);
    expect(w.compare.columns.canAdd).toBe(false);
    w.compare.columns.choose(0, keyOf(tuned(3).subject));
    expect(labels(w), "a model in another column changes places").toEqual(["Run 3", "Run 2", "Base", "Run 3"]);
    w.compare.columns.remove(3);
    expect(labels(w)).toHaveLength(3);
  });

  test("can be blind only while there are two", async () => {
    const w = world();
    await vi.advanceTimersByTimeAsync(0);
    w.compare.columns.chooseBlind(true);
    expect(w.compare.columns.isBlind).toBe(true);
    w.compare.columns.add();
    expect([w.compare.columns.isBlind, w.compare.columns.canBeBlind]).toEqual([false, false]);
  });
});

describe("a conversation", () => {
  test("grows token by token, goes on after its last turn, and branches where a prompt is edited", async () => {
    const w = world();
    await vi.advanceTimersByTimeAsync(0);
    const seen: string[] = [];
    w.say(async function* (turn) {
      for (const [column, text] of [[0, "o"], [1, "tw"], [0, "ne"], [1, "o"]] as const) {
        yield { type: "token", column, text };
        seen.push(w.compare.live!.answers.map(({ text: shown }) => shown).join("|"));
      }
      yield doneOf(turn, "one", "two");
    });
    w.compare.prompt = " What? ";
    await w.compare.ask();
    expect(seen).toEqual(["o|", "o|tw", "one|tw", "one|two"]);
    expect(w.asked[0]).toMatchObject({ chat: { model: "/m", subjects: [{ kind: "base" }, { kind: "run", runId: 3 }], isBlind: false }, after: null, prompt: "What?" });
    expect([w.compare.prompt, w.compare.status, w.compare.tokensPerSecond, w.compare.seen]).toEqual(["", "idle", 20, "as seen"]);

    await w.compare.ask("And then?");
    expect(w.asked[1]).toMatchObject({ chat: { id: 7 }, after: 1, prompt: "And then?" });
    expect(w.compare.path.map(({ id }) => id)).toEqual([1, 2]);
    await w.compare.edit(w.compare.path[0]!, "What else?");
    expect(w.asked[2]).toMatchObject({ chat: { id: 7 }, after: null, prompt: "What else?" });
    expect(w.compare.path.map(({ id }) => id)).toEqual([3]);
    w.compare.step(w.compare.path[0]!, -1);
    expect(w.compare.path.map(({ id }) => id), "the other way is as it was").toEqual([1, 2]);
  });

  test("is asked again with a new seed where tokens are drawn; the likeliest ones would be the same", async () => {
    const w = world();
    await vi.advanceTimersByTimeAsync(0);
    await w.compare.ask("Hi");
    const [turn] = w.compare.path;
    expect(w.compare.canDiffer(turn!)).toBe(false);
    w.compare.system = "Be brief.";
    expect(w.compare.canDiffer(turn!)).toBe(true);
    w.compare.sampling.temperature = 0.7;
    await w.compare.again(turn!);
    expect(w.asked[1]).toMatchObject({ after: null, prompt: "Hi", system: "Be brief.", sampling: { temperature: 0.7, seed: w.compare.sampling.seed } });
    expect(w.compare.sampling.seed).not.toBe(0);
  });

  test("that is stopped keeps what was said", async () => {
    const w = world();
    await vi.advanceTimersByTimeAsync(0);
    w.say(async function* (turn) {
      yield { type: "token", column: 0, text: "one" };
      while (w.stopped.length === 0) await Promise.resolve();
      yield { type: "done", chatId: 7, turn: { ...turn, answers: [answer("one", "hand"), answer("", "hand")] }, prompt: null };
    });
    const asking = w.compare.ask("What?");
    for (let i = 0; i < 40 && w.compare.status !== "answering"; i++) await Promise.resolve();
    w.compare.stop();
    await asking;
    expect(w.stopped).toEqual([1]);
    expect(w.compare.path[0]!.answers.map(({ text, stopped }) => [text, stopped])).toEqual([["one", "hand"], ["", "hand"]]);
  });

  test("whose engine fails gives the prompt back and says why; the turns before stay", async () => {
    const w = world();
    await vi.advanceTimersByTimeAsync(0);
    await w.compare.ask("first");
    // eslint-disable-next-line require-yield
    w.say(async function* () {
      throw new Error("out of memory");
    });
    await w.compare.ask("second");
    expect([w.compare.prompt, w.compare.problem?.what, w.compare.path.length, w.compare.status]).toEqual(["second", "out of memory", 1, "idle"]);
  });

  test("changes into a new one where its columns do", async () => {
    const w = world();
    await vi.advanceTimersByTimeAsync(0);
    await w.compare.ask("first");
    w.compare.change((columns) => columns.add());
    expect([w.compare.chat, w.compare.path]).toEqual([null, []]);
    await w.compare.ask("second");
    expect(w.asked[1]!.chat).toHaveProperty("model");
  });

  test("that is blind names its columns only after the vote", async () => {
    const w = world();
    await vi.advanceTimersByTimeAsync(0);
    w.compare.columns.chooseBlind(true);
    await w.compare.ask("first");
    expect(w.asked[0]!.chat).toMatchObject({ isBlind: true });
    expect(w.compare.path[0]!.places).toBeNull();
    await w.compare.vote(w.compare.path[0]!, "left");
    expect(w.compare.path[0]).toMatchObject({ verdict: "left", places: [1, 0] });
  });
});

test("a deleted conversation is gone at once and comes back when it is taken back", async () => {
  const w = world();
  await w.chats.load();
  w.chats.forget(w.chats.list![0]!);
  expect(w.chats.list).toEqual([]);
  w.notices.list[0]!.action!.run();
  expect(w.chats.list).toHaveLength(1);
});
