// The list of runs, live, with a small curve for each. A deleted run is hidden at once and deleted for good a few
// seconds later, so that it can be taken back.

import { SvelteMap, SvelteSet } from "svelte/reactivity";
import type { RunSummary } from "../../main/rpc/contract.ts";
import type { Connection, Problem } from "./connection.svelte.ts";
import type { Notices } from "./notices.svelte.ts";

const curvePoints = 60;

export class RunsState {
  all = $state.raw<readonly RunSummary[] | null>(null);
  problem = $state.raw<Problem | null>(null);
  /** Losses of a run, thinned, by run id. */
  curves = new SvelteMap<number, readonly number[]>();
  #leaving = new SvelteSet<number>();
  #curveSteps = new Map<number, number>();
  #connection: Connection;
  #notices: Notices;
  list = $derived((this.all ?? []).filter((run) => !this.#leaving.has(run.id)));
  working = $derived(this.list.find((run) => run.status === "running") ?? null);
  /** Runs with an adapter or a checkpoint to compare with. */
  askable = $derived(this.list.filter((run) => run.adapter !== null || run.lastCheckpointStep !== null));

  constructor(connection: Connection, notices: Notices) {
    this.#connection = connection;
    this.#notices = notices;
  }

  /** Inside an $effect. */
  follow(): () => void {
    return this.#connection.follow((client, signal) => client.runs.followList({}, { signal }), {
      onEvent: (runs) => {
        this.all = runs;
        this.problem = null;
      },
      onError: (problem) => {
        this.problem = problem;
      },
    });
  }

  /** Fetches the curves that are not there yet or have grown. */
  async loadCurves(runs: readonly RunSummary[]): Promise<void> {
    const { client } = this.#connection;
    if (client === null) return;
    const stale = runs.filter(({ id, lastStep }) => lastStep > 0 && this.#curveSteps.get(id) !== lastStep);
    for (const { id, lastStep } of stale) {
      this.#curveSteps.set(id, lastStep);
      try {
        const points = await client.runs.points({ id, most: curvePoints });
        this.curves.set(id, points.map(({ lossNats }) => lossNats));
      } catch {
        this.#curveSteps.delete(id); // the run or the connection is gone: the list itself says so
      }
    }
  }

  delete(run: RunSummary): void {
    this.#leaving.add(run.id);
    const takeBack = (): void => {
      this.#leaving.delete(run.id);
    };
    this.#notices.say(`Run ${run.id} and its files will be deleted.`, {
      action: { label: "Undo", run: takeBack },
      onGone: () => {
        void this.#deleteNow(run.id).catch((error: unknown) => {
          takeBack();
          this.#notices.fail(`Run ${run.id} was not deleted.`, error);
        });
      },
    });
  }

  async #deleteNow(id: number): Promise<void> {
    await this.#connection.calls.runs.delete({ id });
  }
}
