// The window's look at training rows: columns chosen by hand, counts as they grow, a draft that is kept, the sample's way.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { RowsAccount, RowsHead, RowsPreviewEvent, SampleModelEvent } from "../../main/rpc/contract.ts";
import { draftOf, mappingOf, mappingWords } from "../../renderer/draw/mapping.ts";
import { Connection } from "../../renderer/state/connection.svelte.ts";
import { forgetDraft, keepDraft, keptDraft } from "../../renderer/state/kept-draft.ts";
import { RowsLook } from "../../renderer/state/rows-look.svelte.ts";
import { SampleState } from "../../renderer/state/sample.svelte.ts";
import type { TransportEvents } from "../../renderer/state/transport.ts";

describe("a mapping by hand", () => {
  const columns = ["id", "Question", "answer", "notes"];

  test("begins with the columns whose names suit, or with the mapping in use", () => {
    expect(draftOf("pair", null, columns)).toEqual({ prompt: "Question", completion: "answer", input: "", system: "", history: "" });
    expect(draftOf("pair", { kind: "pair", prompt: "id", completion: "notes" }, columns)).toMatchObject({ prompt: "id", completion: "notes" });
    expect(draftOf("text", { kind: "pair", prompt: "id", completion: "notes" }, columns)).toEqual({ text: "" });
  });

  test("is whole when every needed part has a column of its own", () => {
    expect(mappingOf("pair", { prompt: "a", completion: "" })).toBeNull();
    expect(mappingOf("pair", { prompt: "a", completion: "a" })).toBeNull();
    const mapping = mappingOf("pair", { prompt: "a", completion: "b", input: "", system: "s" });
    expect(mapping).toEqual({ kind: "pair", prompt: "a", completion: "b", system: "s" });
    expect(mappingWords(mapping!)).toBe("prompt: a · answer: b · system text: s");
  });
});

describe("a look at rows", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const head = (path: string, changes: Partial<RowsHead> = {}) => ({ path, format: { name: "alpaca", isSure: true }, problem: null, rows: [], ...changes }) as unknown as RowsHead;
  const account = (kept: number) => ({ counts: { kept, total: kept } }) as unknown as RowsAccount;
  const gate = (): { open(): void; wait: Promise<void> } => {
    let open = (): void => {};
    const wait = new Promise<void>((resolve) => (open = resolve));
    return { open: () => open(), wait };
  };

  test("shows the head at once, counts as they grow, and what was counted when it is stopped", async () => {
    const more = gate();
    async function* events(): AsyncGenerator<RowsPreviewEvent> {
      yield { type: "head", head: head("/a") };
      yield { type: "progress", progress: { type: "progress", stage: "Counting rows", done: 10, total: 1000, unit: "rows", ratePerSecond: null, leftMs: null } };
      yield { type: "counts", account: account(10) };
      await more.wait;
      yield { type: "done", account: account(99), refusal: null };
    }
    const look = new RowsLook();
    look.load(async () => events());
    expect(look.status).toBe("opening");
    await vi.advanceTimersByTimeAsync(300);
    expect([look.status, look.head?.path, look.account?.counts.kept]).toEqual(["counting", "/a", 10]);
    expect(look.expected?.keptRows, "in proportion to the rows of the file").toBe(1000);
    look.stop();
    more.open();
    await vi.advanceTimersByTimeAsync(10);
    expect([look.status, look.account?.counts.kept, look.isCounted]).toEqual(["stopped", 10, false]);
  });

  test("a refusal, a row that does not fit and a failed call are its trouble", async () => {
    const look = new RowsLook();
    const refusal = { what: "too long", where: "w", fix: "f" };
    const after = async (...events: RowsPreviewEvent[]): Promise<string | undefined> => {
      const stop = look.load(async () => (async function* () { yield* events; })());
      await vi.advanceTimersByTimeAsync(300);
      stop();
      return look.trouble?.what;
    };
    expect(await after({ type: "head", head: head("/a") }, { type: "done", account: account(1), refusal })).toBe("too long");
    expect(await after({ type: "head", head: head("/a") }, { type: "done", account: account(1), refusal: null })).toBeUndefined();
    expect(await after({ type: "head", head: head("/a", { problem: { ...refusal, what: "no text" } }) }, { type: "done", account: null, refusal: null })).toBe("no text");
    look.load(() => Promise.reject(new Error("gone")));
    await vi.advanceTimersByTimeAsync(300);
    expect([look.trouble?.what, look.head]).toEqual(["gone", null]);
  });

  test("another file's counts do not stand under the new one's head", async () => {
    const look = new RowsLook();
    look.load(async () => (async function* (): AsyncGenerator<RowsPreviewEvent> { yield { type: "head", head: head("/a") }; yield { type: "done", account: account(5), refusal: null }; })())
    await vi.advanceTimersByTimeAsync(300);
    const never = gate();
    look.load(async () => (async function* (): AsyncGenerator<RowsPreviewEvent> { yield { type: "head", head: head("/b") }; await never.wait; })());
    expect(look.account?.counts.kept, "until something newer is there").toBe(5);
    await vi.advanceTimersByTimeAsync(300);
    expect([look.head?.path, look.account]).toEqual(["/b", null]);
  });
});

describe("a kept draft", () => {
  beforeEach(() => {
    const kept = new Map<string, string>();
    vi.stubGlobal("localStorage", { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value), removeItem: (key: string) => void kept.delete(key) });
  });
  afterEach(() => void vi.unstubAllGlobals());
  const empty = { name: "", rank: 16, clipNorm: 1 as number | null, mapping: null as object | null, probe: { isOn: true, limit: 100 as number | null } };

  test("comes back as it was, emptied fields and columns included", () => {
    const draft = { name: "n", rank: 8, clipNorm: null, mapping: { kind: "text", text: "t" }, probe: { isOn: false, limit: null } };
    keepDraft(draft);
    expect(keptDraft(empty)).toEqual(draft);
    forgetDraft();
    expect(keptDraft(empty)).toBeNull();
  });

  test("of an older version, or a damaged one, costs what does not fit and nothing more", () => {
    keepDraft({ name: 5, rank: 8, gone: true, probe: "on" });
    expect(keptDraft(empty)).toEqual({ ...empty, rank: 8 });
    localStorage.setItem("nullspace.new-run", "{");
    expect(keptDraft(empty)).toBeNull();
  });
});

describe("the sample's way to a first run", () => {
  function connect(client: object): Connection {
    const opened: TransportEvents[] = [];
    const connection = new Connection((events) => (opened.push(events), () => {}));
    connection.connect();
    opened[0]!.opened(client as Parameters<TransportEvents["opened"]>[0]);
    return connection;
  }
  const progress = { type: "progress", stage: "Downloading", done: 1, total: 2, unit: "bytes", ratePerSecond: null, leftMs: null } as const;

  test("fetches the model, then starts the demo's run on it", async () => {
    const seen: unknown[] = [];
    async function* fetching(): AsyncGenerator<SampleModelEvent> {
      yield { type: "progress", progress };
      seen.push(sample.progress?.done);
      yield { type: "done", source: "hub", model: { path: "/m" } as never };
    }
    const sample = new SampleState(connect({ models: { fetchSample: async () => fetching() }, demo: { start: async (input: unknown) => (seen.push(input), { id: 7, prompts: [] }) } }));
    expect(await sample.runDemo()).toBe(7);
    expect(seen).toEqual([1, { model: "/m" }]);
    expect([sample.status, sample.progress]).toEqual(["idle", null]);
  });

  test("a cancel ends it without a problem, a failure is told", async () => {
    const sample = new SampleState(
      connect({ models: { fetchSample: (_: unknown, { signal }: { signal: AbortSignal }) => new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))) } }),
    );
    const running = sample.runDemo();
    sample.cancel();
    expect([await running, sample.problem, sample.status]).toEqual([null, null, "idle"]);
    const failing = new SampleState(connect({ models: { fetchSample: () => Promise.reject(new Error("no network")) } }));
    expect([await failing.runDemo(), failing.problem?.what]).toEqual([null, "no network"]);
  });
});
