// This process as one of those that work on the store. It beats its heart while it owns work, finds the runs of
// processes that are gone and marks them interrupted, and hands on cancels that another process asked for.

import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Store } from "../db/store.ts";
import type { Changes } from "./changes.ts";

export interface Membership {
  /**
   * Name under which this process owns work; joins the store on first use. A process that was declared dead gets another
   * name, so what it worked on until then, under the old one, writes nothing more even where it takes the same run again.
   */
  owner(): string;
  /** Marks what dead processes left behind; returns the runs that were interrupted. */
  sweep(): number[];
  /** Called every second while this process is a member. */
  onTick(listener: () => void): void;
  /** Another process has declared this one dead: its work is no longer its own. */
  onLost(listener: () => void): void;
  close(): void;
}

export interface MembershipOptions {
  store: Store;
  changes: Changes;
  now: () => number;
  tickMs?: number;
  /** A heart that has not moved for so long while we watched is dead, whatever its process id says. */
  silenceMs?: number;
}

export function joinStore({ store, changes, now, tickMs = 1000, silenceMs = 20_000 }: MembershipOptions): Membership {
  let id = randomUUID();
  let isClosed = false;
  const here = hostname();
  const heard = new Map<string, { heartbeatMs: number; atMs: number }>();
  const tickListeners: (() => void)[] = [];
  const lostListeners: (() => void)[] = [];
  let timer: NodeJS.Timeout | null = null;

  function register(): void {
    store.owners.add({ owner: id, host: here, pid: process.pid, heartbeatMs: now() });
  }

  function beat(): void {
    if (store.owners.beat(id, now())) return;
    id = randomUUID();
    lostListeners.forEach((listener) => listener());
    register();
  }

  function tick(): void {
    beat();
    sweep();
    tickListeners.forEach((listener) => listener());
  }

  function isDead(owner: { owner: string; host: string; pid: number; heartbeatMs: number }): boolean {
    if (owner.host === here && !isProcessAlive(owner.pid)) return true;
    const last = heard.get(owner.owner);
    if (last === undefined || last.heartbeatMs !== owner.heartbeatMs) {
      heard.set(owner.owner, { heartbeatMs: owner.heartbeatMs, atMs: performance.now() });
      return false;
    }
    return performance.now() - last.atMs > silenceMs;
  }

  function sweep(): number[] {
    for (const owner of store.owners.list()) {
      if (owner.owner !== id && isDead(owner)) store.owners.remove(owner.owner);
    }
    const interrupted = store.runs.orphans().filter((runId) => interruptRun(store, runId, now()));
    const lostProbes = store.probes.interruptOrphans(gone("probe"), now());
    if (interrupted.length > 0 || lostProbes > 0) changes.touch();
    return interrupted;
  }

  return {
    owner() {
      if (timer === null) {
        register();
        timer = setInterval(tick, tickMs);
        timer.unref();
      } else if (!isClosed) beat();
      return id;
    },
    sweep,
    onTick: (listener) => void tickListeners.push(listener),
    onLost: (listener) => void lostListeners.push(listener),
    close() {
      isClosed = true;
      if (timer === null) return;
      clearInterval(timer);
      store.owners.remove(id);
      sweep();
    },
  };
}

function interruptRun(store: Store, id: number, nowMs: number): boolean {
  return store.together(() => {
    const run = store.runs.find(id);
    if (run === null) return false;
    const from = run.lastCheckpointStep;
    const fix = from === null ? "Resume it: finished stages are not computed again." : `Resume it: training goes on from the checkpoint of step ${from}.`;
    const error = { ...gone(`run ${id}`), fix, isBug: false };
    const endedMs = store.runSpans.lastSeen(id) ?? nowMs; // its end was seen by nobody
    if (!store.runs.interrupt(id, error, endedMs)) return false;
    store.runStages.stopRunning(id, "interrupted", endedMs);
    store.runNotes.add({ runId: id, atMs: nowMs, kind: "interrupted", step: from, text: `${error.what} ${fix}`, warning: null });
    return true;
  });
}

function gone(where: string) {
  return { what: "The Nullspace process that worked on it has ended.", where, fix: "Start it again.", isBug: false };
}

function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH"; // EPERM: alive, of another user
  }
}
