// The passes in order, each followed by the legality check.

import { checkGraph } from "../check.ts";
import type { Graph } from "../value.ts";
import { dropDead } from "./drop-dead.ts";
import { foldConstants } from "./fold-constants.ts";
import { fuseGemmAdd } from "./fuse-gemm-add.ts";
import { shareCommon } from "./share-common.ts";
import { turnThinProducts } from "./thin-products.ts";

export const passes: readonly { name: string; run: (graph: Graph) => Graph }[] = [
  { name: "drop dead nodes", run: dropDead },
  { name: "fold constants", run: foldConstants },
  { name: "share common subexpressions", run: shareCommon },
  { name: "drop dead nodes", run: dropDead },
  { name: "turn thin products", run: turnThinProducts },
  { name: "fuse Gemm and Add", run: fuseGemmAdd },
  { name: "drop dead nodes", run: dropDead },
];

export function optimize(graph: Graph): Graph {
  let current = graph;
  for (const pass of passes) {
    current = pass.run(current);
    checkGraph(current, pass.name);
  }
  return current;
}
