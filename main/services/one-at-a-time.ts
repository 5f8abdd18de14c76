// Work in the order in which it was asked for, one after the other: two answers at once would load the model twice.

/** `skipped` is the result of work whose signal fires while it waits. */
export function oneAtATime() {
  let last: Promise<unknown> = Promise.resolve();
  return async function inTurn<T>(signal: AbortSignal, work: () => Promise<T>, skipped: T): Promise<T> {
    const before = last;
    const { promise: left, resolve: leave } = Promise.withResolvers<"left">();
    const onAbort = (): void => leave("left");
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
    const mine = before.then(() => (signal.aborted ? skipped : work()));
    last = mine.catch(() => {}); // its own caller gets the error
    const first = await Promise.race([before, left]);
    signal.removeEventListener("abort", onAbort);
    return first === "left" ? skipped : mine;
  };
}
