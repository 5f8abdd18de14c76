// The store's cache: what is kept so that it need not be computed again, by kind, and a way to let go of it. What a live
// run or probe may read is left alone. Nothing in here is lost for good: what is needed later is made anew.

import { readdirSync, renameSync, rmSync } from "node:fs";
import { join, sep } from "node:path";
import { UserError } from "../../native-models/errors.ts";
import type { Deps } from "./deps.ts";
import { bytesOf } from "./disk-use.ts";
import type { ProbeStart } from "./params/probes.ts";
import type { CacheKind, CacheUse, CacheView } from "./shapes/app.ts";
import type { RunConfig } from "./shapes/runs.ts";

interface Kind {
  kind: CacheKind;
  about: string;
  matches: RegExp;
  /** By what it is read. */
  readBy: "runs" | "rounded probes";
}

/** Of a name, the first that matches. */
const kinds: readonly Kind[] = [
  { kind: "grams", about: "Gram matrices of calibration texts; calibration makes them again", matches: /^(task-)?grams-/, readBy: "runs" },
  { kind: "start-reports", about: "spectra and energies of starts, as run pages draw them", matches: /^start-report-/, readBy: "runs" },
  { kind: "starts", about: "starts of adapters; each trained run keeps its own copy", matches: /^start-/, readBy: "runs" },
  { kind: "rounded-weights", about: "models' weights in 8 and 4 bits, and what rounding was found to cost", matches: /^rounded-weights$/, readBy: "rounded probes" },
  { kind: "other", about: "what was left half written", matches: /^/, readBy: "runs" },
];

export function cacheService({ store, membership, home }: Pick<Deps, "store" | "membership" | "home">) {
  const entriesOf = ({ kind }: Kind): string[] => readdirSync(home.cache).filter((name) => kinds.find(({ matches }) => matches.test(name))!.kind === kind);

  /** Who may be reading it now: "run 3", "probe 5". */
  function liveReaders({ readBy }: Kind): string[] {
    membership.sweep(); // runs of processes that have died read nothing
    if (readBy === "rounded probes") {
      return store.probes.live().flatMap(({ id, config }) => ((config as ProbeStart).width === "float32" ? [] : [`probe ${id}`]));
    }
    return store.runs.live().flatMap((row) => {
      const config = row.config as RunConfig;
      return config.kind === "full" || config.init.startsWith(home.cache + sep) ? [`run ${row.id}`] : [];
    });
  }

  function useOf(kind: Kind): CacheUse {
    const entries = entriesOf(kind);
    return { kind: kind.kind, about: kind.about, entries: entries.length, bytes: entries.reduce((sum, name) => sum + bytesOf(join(home.cache, name)), 0), readBy: liveReaders(kind) };
  }

  function remove(kind: Kind): void {
    for (const name of entriesOf(kind)) {
      const [path, doomed] = [join(home.cache, name), join(home.cache, `.deleted-${name}`)];
      try {
        // Gone at once for whoever looks for it; a delete that is cut short leaves what counts as half written.
        if (!name.startsWith(".deleted-")) renameSync(path, doomed);
        rmSync(name.startsWith(".deleted-") ? path : doomed, { recursive: true, force: true });
      } catch (cause) {
        throw new UserError({ what: `It could not be deleted: ${(cause as Error).message}.`, where: path, fix: "Close programs that use it, check the permissions, and clear the cache again." }, { cause });
      }
    }
  }

  return {
    /** Every kind, also where there is nothing of it. */
    list: (): CacheView => ({ folder: home.cache, kinds: kinds.map(useOf) }),

    /** Deletes one kind, or all; what was there. All or nothing: where a kind is in use, none is deleted. */
    clear(wanted: CacheKind | null): CacheUse[] {
      const chosen = kinds.filter(({ kind }) => wanted === null || kind === wanted);
      const uses = chosen.map(useOf).filter(({ entries }) => entries > 0);
      const inUse = uses.find(({ readBy }) => readBy.length > 0);
      if (inUse !== undefined) {
        throw new UserError({
          what: `The cache's ${inUse.kind} may be read by ${inUse.readBy.join(", ")} now.`,
          where: `cache.clear: ${home.cache}`,
          fix: wanted === null ? "Wait until that has ended or cancel it, or clear another kind." : "Wait until that has ended, or cancel it.",
        });
      }
      chosen.forEach(remove);
      return uses;
    },
  };
}
