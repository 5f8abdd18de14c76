// Short notices at the window's edge: something was done and can be undone, or a call failed.

import { errorParts } from "../../main/rpc/client.ts";
import type { Problem } from "./connection.svelte.ts";

export interface Notice {
  id: number;
  text: string;
  problem: Problem | null;
  action: { label: string; run(): void } | null;
}

const shownMs = 7000;

export class Notices {
  list = $state.raw<readonly Notice[]>([]);
  #next = 1;

  /** Shows a text; `onGone` is called once it has gone without its action having been used. */
  say(text: string, options: { action?: Notice["action"]; onGone?: () => void } = {}): void {
    const id = this.#next++;
    const timer = setTimeout(() => {
      this.dismiss(id);
      options.onGone?.();
    }, shownMs);
    const asked = options.action;
    const action =
      asked == null
        ? null
        : {
            label: asked.label,
            run: () => {
              clearTimeout(timer);
              this.dismiss(id);
              asked.run();
            },
          };
    this.list = [...this.list, { id, text, problem: null, action }];
  }

  /** A failed call: stays until it is dismissed. */
  fail(text: string, error: unknown): void {
    this.list = [...this.list, { id: this.#next++, text, problem: errorParts(error), action: null }];
  }

  dismiss(id: number): void {
    this.list = this.list.filter((notice) => notice.id !== id);
  }
}
