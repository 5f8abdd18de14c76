// The way from nothing to a first result: the sample model is fetched, then the demo's run is started.

import { errorParts } from "../../main/rpc/client.ts";
import type { ProgressEvent } from "../../main/rpc/contract.ts";
import type { Connection, Problem } from "./connection.svelte.ts";

export class SampleState {
  status = $state<"idle" | "fetching" | "starting">("idle");
  progress = $state.raw<ProgressEvent | null>(null);
  problem = $state.raw<Problem | null>(null);
  #connection: Connection;
  #controller: AbortController | null = null;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** The demo's run, or null where it was cancelled or failed. What has arrived of the model is kept for the next try. */
  async runDemo(): Promise<number | null> {
    if (this.status !== "idle") return null;
    const controller = new AbortController();
    this.#controller = controller;
    Object.assign(this, { status: "fetching", progress: null, problem: null });
    try {
      const { calls } = this.#connection;
      for await (const event of await calls.models.fetchSample(undefined, { signal: controller.signal })) {
        if (event.type === "progress") {
          this.progress = event.progress;
          continue;
        }
        this.status = "starting";
        return (await calls.demo.start({ model: event.model.path })).id;
      }
      return null;
    } catch (error) {
      if (!controller.signal.aborted) this.problem = errorParts(error);
      return null;
    } finally {
      Object.assign(this, { status: "idle", progress: null });
      this.#controller = null;
    }
  }

  cancel(): void {
    this.#controller?.abort();
  }
}
