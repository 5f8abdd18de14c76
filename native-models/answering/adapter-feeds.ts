// Several adapters side by side along the rank: A [R,in] and B [out,R] of all of them, R the sum of their ranks. A token's
// weighing of the R directions chooses its adapter, or none. Scales are folded into B. The n modules of a group stand in one
// pair, A [n·R,in] and B [out,n·R] with a block for each: a few zeros more to multiply, a third of the products.

import type { LoadedModule, PeftAdapter } from "../adapter/peft.ts";
import type { ModelConfig } from "../checkpoint/types.ts";
import { groupsOf } from "../programs/names.ts";
import { f32, i64, type TensorData } from "../runtime/session.ts";

export interface AdapterFeeds {
  feeds: Record<string, TensorData>;
  /** R; 0 without adapters. */
  totalRank: number;
  /** Directions [start, end) of each adapter. */
  spans: readonly { start: number; end: number }[];
}

export function adapterFeeds(config: ModelConfig, adapters: readonly PeftAdapter[]): AdapterFeeds {
  const spans: { start: number; end: number }[] = [];
  let totalRank = 0;
  for (const adapter of adapters) {
    const widest = Math.max(...adapter.ranks);
    spans.push({ start: totalRank, end: totalRank + widest });
    totalRank += widest;
  }
  const tables = adapters.map((adapter) => new Map(adapter.modules.map((module) => [module.name, module])));
  const feeds: Record<string, TensorData> = {};
  for (const { name, modules, in: size, out } of groupsOf(config)) {
    const columns = modules.length * totalRank;
    const a = new Float32Array(columns * size);
    const b = new Float32Array(out * columns);
    let firstRow = 0;
    modules.forEach((each, at) => {
      tables.forEach((table, i) => {
        const module = table.get(each.name);
        if (module) placeModule(module, { a, b, columns, column: at * totalRank + spans[i].start, firstRow });
      });
      firstRow += each.out;
    });
    feeds[`${name}.A`] = f32(a, columns, size);
    feeds[`${name}.B`] = f32(b, out, columns);
  }
  return { feeds, totalRank, spans };
}

/** A group's matrices, and where in them a module's begin. */
interface Place {
  a: Float32Array;
  b: Float32Array;
  columns: number;
  column: number;
  firstRow: number;
}

function placeModule(module: LoadedModule, { a, b, columns, column, firstRow }: Place): void {
  a.set(module.a, column * module.in);
  for (let row = 0; row < module.out; row++) {
    const at = (firstRow + row) * columns + column;
    for (let r = 0; r < module.rank; r++) b[at + r] = module.b[row * module.rank + r] * module.scale;
  }
}

/** Feeds that choose each token's adapter: an index into the adapters, or null for the base. */
export function weighTokens(adapterOfToken: readonly (number | null)[], { totalRank, spans }: AdapterFeeds): Record<string, TensorData> {
  const tokens = adapterOfToken.every((adapter) => adapter === null) ? 1 : adapterOfToken.length;
  const weights = new Float32Array(tokens * totalRank);
  for (let token = 0; token < tokens; token++) {
    const adapter = adapterOfToken[token];
    if (adapter !== null) weights.fill(1, token * totalRank + spans[adapter].start, token * totalRank + spans[adapter].end);
  }
  return { "adapter.tokens": i64(Array.from({ length: tokens }, (_, token) => token), tokens), "adapter.weights": f32(weights, tokens, totalRank) };
}
