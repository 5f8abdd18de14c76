// nullspace cache: what the store keeps so as not to compute it again, by kind; clear lets go of it.

import { Option, type Command } from "commander";
import { cacheKinds, type CacheKind, type CacheUse } from "../../rpc/contract.ts";
import type { Context } from "../context.ts";
import { command } from "../options.ts";
import { bytes, table } from "../tables.ts";

export function make(context: Context): Command {
  const clear = command("clear", "Deletes what is cached; it is computed again when it is needed. What a run or probe at work may read is refused.")
    .addOption(new Option("--kind <KIND>", "only this kind (default: all)").choices(cacheKinds))
    .action(async ({ kind }: { kind?: CacheKind }) => {
      const cleared = await context.client().cache.clear({ kind: kind ?? null });
      const total = cleared.reduce((sum, use) => sum + use.bytes, 0);
      context.print({ cleared, bytes: total }, cleared.length === 0 ? "There was nothing to clear." : `${cleared.map(line).join("\n")}\n${bytes(total)} are free again.`);
    });
  return command("cache", "Shows how much room the store's cache takes, by kind.")
    .action(async () => {
      const { folder, kinds } = await context.client().cache.list();
      const rows = kinds.map(({ kind, entries, bytes: size, readBy, about }) => [kind, String(entries), bytes(size), readBy.join(", "), about]);
      const total = kinds.reduce((sum, { bytes: size }) => sum + size, 0);
      context.print({ folder, kinds, bytes: total }, `${table(["kind", "entries", "size", "in use by", "what it is"], rows)}\nIn all ${bytes(total)} in ${folder}. Runs with their checkpoints are not part of it: runs delete.`);
    })
    .addCommand(clear);
}

function line({ kind, entries, bytes: size }: CacheUse): string {
  return `${kind}: ${entries} ${entries === 1 ? "entry" : "entries"}, ${bytes(size)}`;
}
