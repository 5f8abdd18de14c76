// The machine and the app's settings, asked once a connection, and a clock for "5 min ago".

import type { AppSettings, SystemInfo } from "../../main/rpc/contract.ts";
import type { Connection } from "./connection.svelte.ts";

export class SystemState {
  info = $state.raw<SystemInfo | null>(null);
  settings = $state.raw<AppSettings | null>(null);
  /** Now, to the half minute. */
  nowMs = $state(Date.now());
  #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Inside an $effect: asks anew with each connection. */
  async load(): Promise<void> {
    const { client } = this.#connection;
    if (client === null) return;
    [this.info, this.settings] = await Promise.all([client.system.info(), client.settings.get()]);
  }

  startClock(): () => void {
    const timer = setInterval(() => {
      this.nowMs = Date.now();
    }, 30_000);
    return () => clearInterval(timer);
  }

  /** Path of a shipped sample by a part of its name. */
  sample(part: string): string | null {
    return this.info?.samples.find(({ name }) => name.includes(part))?.path ?? null;
  }
}
