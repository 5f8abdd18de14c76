// How surprised each model is by each turn's answers: asked for a turn at a time, kept as long as the window is open.

import { SvelteMap } from "svelte/reactivity";
import { errorParts } from "../../main/rpc/client.ts";
import type { ProgressEvent, TurnSurprise } from "../../main/rpc/contract.ts";
import type { Connection, Problem } from "./connection.svelte.ts";

export type Looked = { status: "waiting"; progress: ProgressEvent | null } | { status: "done"; surprise: TurnSurprise } | { status: "failed"; problem: Problem };

export class SurpriseState {
  /** By turn; absent until it was asked for. */
  turns = new SvelteMap<number, Looked>();
  #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async load(turnId: number): Promise<void> {
    const known = this.turns.get(turnId);
    if (known !== undefined && known.status !== "failed") return;
    this.turns.set(turnId, { status: "waiting", progress: null });
    try {
      for await (const event of await this.#connection.calls.chats.surprise({ turnId })) {
        if (event.type === "progress") this.turns.set(turnId, { status: "waiting", progress: event.progress });
        else this.turns.set(turnId, { status: "done", surprise: event.surprise });
      }
    } catch (error) {
      this.turns.set(turnId, { status: "failed", problem: errorParts(error) });
    }
  }
}
