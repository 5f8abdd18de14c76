// A conversation's turns as a tree: the path in view, and the other ways it could have gone.

type Turn = { id: number; parentId: number | null };

/** From the first turn to `leaf`. */
export function pathTo<T extends Turn>(turns: readonly T[], leaf: number | null): T[] {
  const byId = new Map(turns.map((turn) => [turn.id, turn]));
  const path: T[] = [];
  for (let turn = leaf === null ? undefined : byId.get(leaf); turn !== undefined; turn = turn.parentId === null ? undefined : byId.get(turn.parentId)) path.unshift(turn);
  return path;
}

/** The turns with the same parent, oldest first, the turn itself among them. */
export function siblings<T extends Turn>(turns: readonly T[], turn: T): T[] {
  return turns.filter(({ parentId }) => parentId === turn.parentId);
}

/** The newest turn that follows from `turn`, by way of the newest each time. */
export function newestLeaf<T extends Turn>(turns: readonly T[], turn: T): T {
  const next = turns.findLast(({ parentId }) => parentId === turn.id);
  return next === undefined ? turn : newestLeaf(turns, next);
}
