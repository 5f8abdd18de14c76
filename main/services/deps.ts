// What services are given. app.ts makes one of these; tests make it with a fake engine, readers or clock.

import type { Store } from "../db/store.ts";
import type { Engine } from "../engine/host.ts";
import type { Readers } from "../engine/readers.ts";
import type { Changes } from "./changes.ts";
import type { Home } from "./home.ts";
import type { Membership } from "./membership.ts";

export interface Deps {
  store: Store;
  engine: Engine;
  readers: Readers;
  changes: Changes;
  membership: Membership;
  home: Home;
  now: () => number;
  /** Bugs, with their stack. */
  log: (text: string) => void;
}
