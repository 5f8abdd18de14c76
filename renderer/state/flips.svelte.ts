// Questions of one probe with both answers, a page at a time as the list is scrolled.

import { errorParts } from "../../main/rpc/client.ts";
import type { AnswerPair } from "../../main/rpc/contract.ts";
import type { Connection, Problem } from "./connection.svelte.ts";

const pageSize = 200;

export class FlipsState {
  pairs = $state.raw<readonly AnswerPair[]>([]);
  problem = $state.raw<Problem | null>(null);
  isLoading = $state(false);
  isComplete = $state(false);
  #connection: Connection;
  #asked = 0;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async open(probeId: number, only: "all" | "lost" | "gained"): Promise<void> {
    this.pairs = [];
    this.isComplete = false;
    await this.more(probeId, only, ++this.#asked);
  }

  async more(probeId: number, only: "all" | "lost" | "gained", asked = this.#asked): Promise<void> {
    const { client } = this.#connection;
    if (client === null || this.isComplete) return;
    this.isLoading = true;
    try {
      const page = await client.probe.answers({ id: probeId, only, offset: this.pairs.length, limit: pageSize });
      if (asked !== this.#asked) return;
      this.pairs = [...this.pairs, ...page];
      this.isComplete = page.length < pageSize;
      this.problem = null;
    } catch (error) {
      if (asked === this.#asked) this.problem = errorParts(error);
    } finally {
      if (asked === this.#asked) this.isLoading = false;
    }
  }
}
