// State of the window against clients that answer by a script: reconnecting, deleting with undo, following a run.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { RunDetail, RunEvent, RunSummary, TrainPoint } from "../../main/rpc/contract.ts";
import { Connection } from "../../renderer/state/connection.svelte.ts";
import { Notices } from "../../renderer/state/notices.svelte.ts";
import { RunState } from "../../renderer/state/run.svelte.ts";
import { RunsState } from "../../renderer/state/runs.svelte.ts";
import type { TransportEvents } from "../../renderer/state/transport.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A connection whose transport the test opens and closes; `client` answers the calls. */
function connect(client: object): { connection: Connection; opened: TransportEvents[] } {
  const opened: TransportEvents[] = [];
  const connection = new Connection((events) => {
    opened.push(events);
    return () => {};
  });
  connection.connect();
  opened[0]!.opened(client as Parameters<TransportEvents["opened"]>[0]);
  return { connection, opened };
}

const run = { id: 3, name: "r", modelPath: "/m", adapter: "/r/adapter", lastStep: 0 } as RunSummary;

test("a lost connection tries again, more slowly each time, until it is there", () => {
  const { connection, opened } = connect({});
  const waits = [400, 800, 1600, 3200, 5000, 5000];
  for (const [i, wait] of waits.entries()) {
    opened[i]!.closed();
    expect(connection.status).toBe("lost");
    vi.advanceTimersByTime(wait - 1);
    expect(opened).toHaveLength(i + 1);
    vi.advanceTimersByTime(1);
    expect(opened).toHaveLength(i + 2);
  }
  opened.at(-1)!.opened({} as never);
  expect(connection.status).toBe("open");
});

test("an error that comes of a lost connection is left to the banner", async () => {
  const { connection, opened } = connect({});
  const onError = vi.fn();
  connection.follow(() => Promise.reject(new Error("socket closed")), { onEvent: () => {}, onError });
  opened[0]!.closed();
  await vi.advanceTimersByTimeAsync(100);
  expect(onError).not.toHaveBeenCalled();
  connection.follow(() => Promise.reject(new Error("no")), { onEvent: () => {}, onError });
  expect(onError).not.toHaveBeenCalled();
});

test("a deleted run is gone from the list at once and deleted only when nobody took it back", async () => {
  const deleted: number[] = [];
  const { connection } = connect({ runs: { delete: async ({ id }: { id: number }) => void deleted.push(id) } });
  const notices = new Notices();
  const runs = new RunsState(connection, notices);
  runs.all = [run];

  runs.delete(run);
  expect(runs.list).toEqual([]);
  notices.list[0]!.action!.run();
  expect(runs.list).toEqual([run]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(deleted).toEqual([]);

  runs.delete(run);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(deleted).toEqual([3]);
});

test("a run that cannot be deleted comes back with the reason", async () => {
  const { connection } = connect({ runs: { delete: () => Promise.reject(new Error("in use")) } });
  const notices = new Notices();
  const runs = new RunsState(connection, notices);
  runs.all = [run];
  runs.delete(run);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(runs.list).toEqual([run]);
  expect(notices.list.map(({ problem }) => problem?.what)).toEqual(["in use"]);
});

test("a run's curve is what was stored and what came, without the steps that were taken back", async () => {
  const points = (...steps: number[]): RunEvent => ({ type: "points", points: steps.map((step) => ({ step }) as TrainPoint) });
  const detail = { ...run, stages: [], notes: [], checkpoints: [], probes: [] } as unknown as RunDetail;
  async function* events(): AsyncGenerator<RunEvent> {
    yield points(1, 2, 3);
    yield points(4);
    yield { type: "rewound", toStep: 2 };
    yield points(3, 4);
    yield points(5);
    yield { type: "ended", run: detail };
  }
  const { connection } = connect({ runs: { follow: async () => events() } });
  const state = new RunState(connection, 3);
  state.follow();
  await vi.advanceTimersByTimeAsync(1000);
  expect(state.points.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5]);
  expect(state.detail).toBe(detail);
});
