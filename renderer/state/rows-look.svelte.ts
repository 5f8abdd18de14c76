// A look at training rows, as it streams in: format and first rows at once, then the counts as they grow. It is taken
// anew whenever its inputs change; what was known stays in view until something newer is (nothing jumps).

import { errorParts } from "../../main/rpc/client.ts";
import type { ErrorParts, ProgressEvent, RowsAccount, RowsHead, RowsPreviewEvent } from "../../main/rpc/contract.ts";
import type { Problem } from "./connection.svelte.ts";

const pauseMs = 250;

export class RowsLook {
  head = $state.raw<RowsHead | null>(null);
  /** What became of the rows so far; of all rows once `isCounted`. */
  account = $state.raw<RowsAccount | null>(null);
  progress = $state.raw<ProgressEvent | null>(null);
  /** Why a run of these rows would not start, once they are counted. */
  refusal = $state.raw<ErrorParts | null>(null);
  /** The look itself failed. */
  problem = $state.raw<Problem | null>(null);
  status = $state<"empty" | "opening" | "counting" | "counted" | "stopped">("empty");
  isCounted = $derived(this.status === "counted");
  /** What is wrong with the rows as they are read now. */
  trouble = $derived<ErrorParts | null>(this.problem ?? this.head?.problem ?? this.refusal);
  /** Rows and tokens of the whole file: as counted, else in proportion to what is counted so far. */
  expected = $derived.by((): { keptRows: number; tokens: number; trainedTokens: number } | null => {
    if (this.account === null) return null;
    const { counts, tokens, trainedTokens } = this.account;
    const total = this.progress?.unit === "rows" ? this.progress.total : counts.total;
    const share = counts.total === 0 ? 0 : Math.max(1, total / counts.total);
    return { keptRows: Math.round(counts.kept * share), tokens: tokens * share, trainedTokens: trainedTokens * share };
  });
  #controller: AbortController | null = null;

  /** Inside an $effect; the result stops it. */
  load(open: (signal: AbortSignal) => Promise<AsyncIterable<RowsPreviewEvent>>): () => void {
    const controller = new AbortController();
    this.#controller = controller;
    this.status = "opening";
    const timer = setTimeout(() => {
      this.#read(open, controller.signal).catch((error: unknown) => {
        if (controller.signal.aborted) return;
        this.clear();
        this.problem = errorParts(error);
      });
    }, pauseMs);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }

  /** Ends the count; what is counted so far stays. */
  stop(): void {
    if (this.status !== "counting") return;
    this.status = "stopped";
    this.#controller?.abort();
  }

  clear(): void {
    Object.assign(this, { head: null, account: null, progress: null, refusal: null, problem: null, status: "empty" });
  }

  async #read(open: (signal: AbortSignal) => Promise<AsyncIterable<RowsPreviewEvent>>, signal: AbortSignal): Promise<void> {
    for await (const event of await open(signal)) {
      if (signal.aborted) return;
      if (event.type === "head") {
        if (event.head.path !== this.head?.path || event.head.problem !== null) this.account = null;
        Object.assign(this, { head: event.head, progress: null, refusal: null, problem: null, status: "counting" });
      } else if (event.type === "progress") {
        this.progress = event.progress;
      } else if (event.type === "counts") {
        this.account = event.account;
      } else {
        Object.assign(this, { account: event.account, refusal: event.refusal, progress: null, status: "counted" });
      }
    }
  }
}
