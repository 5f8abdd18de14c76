// Questions of one probe with both answers: filtered, searched, ordered; each page is read when it comes into view.

import { errorParts } from "../../main/rpc/client.ts";
import type { AnswerCounts, AnswerPair } from "../../main/rpc/contract.ts";
import type { Connection, Problem } from "./connection.svelte.ts";

export type AnswerFilter = AnswerPair["flip"] | "all";
export type AnswerOrder = "file" | "fell" | "rose";

export interface AnswerChoice {
  only: AnswerFilter;
  search: string;
  order: AnswerOrder;
}

const pageSize = 200;
const pauseMs = 200;

export class FlipsState {
  /** Of the chosen kind, in order; a place is empty until its page was read. */
  pairs = $state.raw<readonly (AnswerPair | undefined)[]>([]);
  counts = $state.raw<AnswerCounts | null>(null);
  problem = $state.raw<Problem | null>(null);
  isLoading = $state(false);
  #connection: Connection;
  #probeId: number;
  #choice: AnswerChoice = { only: "all", search: "", order: "file" };
  #wanted = new Set<number>();
  #asked = 0;

  constructor(connection: Connection, probeId: number) {
    this.#connection = connection;
    this.#probeId = probeId;
  }

  /** Inside an $effect: shows that choice, a moment after the last letter of a search. */
  choose(choice: AnswerChoice): () => void {
    const isTyping = choice.search !== this.#choice.search;
    const timer = setTimeout(() => void this.#open(choice), isTyping ? pauseMs : 0);
    return () => clearTimeout(timer);
  }

  /** The rows in view; what is missing of them is read. */
  show(first: number, last: number): void {
    for (let page = Math.floor(first / pageSize); page * pageSize <= last && page * pageSize < this.pairs.length; page++) {
      if (!this.#wanted.has(page)) void this.#read(page, this.#asked);
    }
  }

  /** The text of a file of what is chosen. */
  async export(format: "csv" | "jsonl"): Promise<Blob> {
    const parts: string[] = [];
    for await (const part of await this.#connection.calls.probe.exportAnswers({ id: this.#probeId, format, ...this.#choice })) parts.push(part);
    return new Blob(parts, { type: format === "csv" ? "text/csv" : "application/jsonl" });
  }

  async #open(choice: AnswerChoice): Promise<void> {
    const { client } = this.#connection;
    if (client === null) return;
    const asked = ++this.#asked;
    this.#choice = choice;
    this.isLoading = true;
    try {
      const counts = await client.probe.countAnswers({ id: this.#probeId, search: choice.search });
      if (asked !== this.#asked) return;
      this.counts = counts;
      this.pairs = Array<undefined>(counts[choice.only]).fill(undefined);
      this.#wanted.clear();
      this.problem = null;
      await this.#read(0, asked);
    } catch (error) {
      if (asked === this.#asked) this.problem = errorParts(error);
    } finally {
      if (asked === this.#asked) this.isLoading = false;
    }
  }

  async #read(page: number, asked: number): Promise<void> {
    const { client } = this.#connection;
    if (client === null || this.pairs.length === 0) return;
    this.#wanted.add(page);
    try {
      const found = await client.probe.answers({ id: this.#probeId, ...this.#choice, offset: page * pageSize, limit: pageSize });
      if (asked === this.#asked) this.pairs = this.pairs.toSpliced(page * pageSize, found.length, ...found);
    } catch (error) {
      this.#wanted.delete(page);
      if (asked === this.#asked) this.problem = errorParts(error);
    }
  }
}
