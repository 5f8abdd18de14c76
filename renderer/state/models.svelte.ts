// Models and watched folders, live.

import type { ModelsView, ModelSummary } from "../../main/rpc/contract.ts";
import type { Connection, Problem } from "./connection.svelte.ts";

export class ModelsState {
  /** Null until the first view came. */
  view = $state.raw<ModelsView | null>(null);
  problem = $state.raw<Problem | null>(null);
  usable = $derived((this.view?.models ?? []).filter((model) => model.problem === null));
  unusable = $derived((this.view?.models ?? []).filter((model) => model.problem !== null));
  #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Inside an $effect. */
  follow(): () => void {
    return this.#connection.follow((client, signal) => client.models.follow(undefined, { signal }), {
      onEvent: (view) => {
        this.view = view;
        this.problem = null;
      },
      onError: (problem) => {
        this.problem = problem;
      },
    });
  }

  find(path: string | null): ModelSummary | null {
    return this.view?.models.find((model) => model.path === path) ?? null;
  }

  async addFolder(path: string): Promise<void> {
    await this.#connection.calls.models.addFolder({ path });
  }

  async removeFolder(id: number): Promise<void> {
    await this.#connection.calls.models.removeFolder({ id });
  }
}
