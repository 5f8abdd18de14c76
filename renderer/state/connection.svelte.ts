// The one connection of the window. When it is lost it tries again, ever more slowly; whoever follows a stream inside
// an $effect is subscribed again by itself, because `client` changes.

import { errorParts } from "../../main/rpc/client.ts";
import type { Client } from "../../main/rpc/contract.ts";
import type { Transport } from "./transport.ts";

export type Problem = ReturnType<typeof errorParts>;

const firstRetryMs = 400;
const slowestRetryMs = 5000;

interface Following<T> {
  onEvent(event: T): void;
  onError?(problem: Problem): void;
  /** The stream ended by itself. */
  onEnd?(): void;
}

export class Connection {
  /** Null while not connected. */
  client = $state.raw<Client | null>(null);
  status = $state<"connecting" | "open" | "lost">("connecting");
  #transport: Transport;
  #close: (() => void) | null = null;
  #retryMs = firstRetryMs;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  connect(): void {
    clearTimeout(this.#timer);
    this.#close?.();
    this.#close = this.#transport({
      opened: (client) => {
        this.#retryMs = firstRetryMs;
        this.status = "open";
        this.client = client;
      },
      closed: () => {
        this.client = null;
        this.status = "lost";
        this.#timer = setTimeout(() => this.connect(), this.#retryMs);
        this.#retryMs = Math.min(slowestRetryMs, this.#retryMs * 2);
      },
    });
  }

  /** The client now; a call made while not connected fails with a reason to show. */
  get calls(): Client {
    if (this.client === null) throw new Error("Nullspace cannot be reached just now.");
    return this.client;
  }

  /**
   * Follows a stream until the returned function is called. Call it inside an $effect: it reads `client`, so a new
   * connection follows anew. Errors that come of a lost connection are not told: the banner says so.
   */
  follow<T>(open: (client: Client, signal: AbortSignal) => Promise<AsyncIterable<T>>, following: Following<T>): () => void {
    const client = this.client;
    if (client === null) return () => {};
    const controller = new AbortController();
    const { signal } = controller;
    const isOver = (): boolean => signal.aborted || this.client !== client;
    const read = async (): Promise<void> => {
      for await (const event of await open(client, signal)) {
        if (isOver()) return;
        following.onEvent(event);
      }
      if (!isOver()) following.onEnd?.();
    };
    read().catch(async (error: unknown) => {
      await new Promise((later) => setTimeout(later, 50)); // a closed socket tells its calls first, then us
      if (!isOver()) following.onError?.(errorParts(error));
    });
    return () => controller.abort();
  }
}
