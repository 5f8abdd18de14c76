// What a run's start looks like: asked for by a click, as it may take a minute the first time.

import { errorParts } from "../../main/rpc/client.ts";
import type { ProgressEvent, StartReport } from "../../main/rpc/contract.ts";
import type { Connection, Problem } from "./connection.svelte.ts";

export class StartReportState {
  report = $state.raw<StartReport | null>(null);
  progress = $state.raw<ProgressEvent | null>(null);
  problem = $state.raw<Problem | null>(null);
  isLoading = $state(false);
  #connection: Connection;
  #controller: AbortController | null = null;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async load(id: number): Promise<void> {
    if (this.isLoading) return;
    const controller = new AbortController();
    this.#controller = controller;
    Object.assign(this, { isLoading: true, problem: null, progress: null });
    try {
      for await (const event of await this.#connection.calls.runs.startReport({ id }, { signal: controller.signal })) {
        if (event.type === "progress") this.progress = event.progress;
        else this.report = event.report;
      }
    } catch (error) {
      if (!controller.signal.aborted) this.problem = errorParts(error);
    } finally {
      Object.assign(this, { isLoading: false, progress: null });
    }
  }

  /** Leaving the page stops the work. */
  stop(): void {
    this.#controller?.abort();
  }
}
