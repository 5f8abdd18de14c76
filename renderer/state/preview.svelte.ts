// Something that is fetched anew whenever its inputs change: waits for a pause in typing, keeps the old value while the
// new one is on its way (nothing jumps), and drops answers that came too late.

import { errorParts } from "../../main/rpc/client.ts";
import type { Problem } from "./connection.svelte.ts";

const pauseMs = 250;

export class Preview<T> {
  value = $state.raw<T | null>(null);
  problem = $state.raw<Problem | null>(null);
  isLoading = $state(false);

  /** Inside an $effect; the result stops it. */
  load(fetch: (signal: AbortSignal) => Promise<T>): () => void {
    const controller = new AbortController();
    const { signal } = controller;
    this.isLoading = true;
    const timer = setTimeout(() => {
      fetch(signal)
        .then((value) => {
          if (signal.aborted) return;
          this.value = value;
          this.problem = null;
          this.isLoading = false;
        })
        .catch((error: unknown) => {
          if (signal.aborted) return;
          this.problem = errorParts(error);
          this.value = null;
          this.isLoading = false;
        });
    }, pauseMs);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }

  clear(): void {
    this.value = null;
    this.problem = null;
    this.isLoading = false;
  }
}
