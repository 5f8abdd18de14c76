// Tells followers that rows may have changed: at once for this process's own writes, by a look at SQLite's counter for
// another process's. Followers read the rows again and send what is new, so that replay and live are one thing.

import type { Store } from "../db/store.ts";

export interface Changes {
  /** This process has written. */
  touch(): void;
  /** Yields at once, then after every change (several at once are one); ends when `signal` fires or the app closes. */
  follow(signal?: AbortSignal): AsyncGenerator<void>;
  close(): void;
}

export function watchChanges(store: Store, options: { pollMs?: number } = {}): Changes {
  const { pollMs = 300 } = options;
  const listeners = new Set<() => void>();
  let seen = store.foreignChanges();
  let timer: NodeJS.Timeout | null = null;
  let isClosed = false;

  const notify = () => listeners.forEach((listener) => listener());
  const poll = () => {
    const now = store.foreignChanges();
    if (now === seen) return;
    seen = now;
    notify();
  };

  return {
    touch: notify,
    async *follow(signal) {
      let isDirty = true;
      let wake: () => void = () => {};
      const listener = () => {
        isDirty = true;
        wake();
      };
      listeners.add(listener);
      timer ??= setInterval(poll, pollMs);
      signal?.addEventListener("abort", listener);
      try {
        while (!isClosed && signal?.aborted !== true) {
          if (isDirty) {
            isDirty = false;
            yield;
          } else {
            await new Promise<void>((resolve) => (wake = resolve));
          }
        }
      } finally {
        signal?.removeEventListener("abort", listener);
        listeners.delete(listener);
        if (listeners.size === 0 && timer !== null) {
          clearInterval(timer);
          timer = null;
        }
      }
    },
    close() {
      isClosed = true;
      notify();
    },
  };
}
