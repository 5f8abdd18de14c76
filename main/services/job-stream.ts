// A job's events as an async iterator. Leaving the loop or the caller's signal cancels the job, and the iterator ends
// only after the job has.

export async function* jobStream<E>(
  work: (push: (event: E) => void, signal: AbortSignal) => Promise<void>,
  callerSignal?: AbortSignal,
): AsyncGenerator<E, void, void> {
  const controller = new AbortController();
  const signal = callerSignal === undefined ? controller.signal : AbortSignal.any([controller.signal, callerSignal]);
  let events: E[] = [];
  let wake: () => void = () => {};
  let isOver = false;
  const push = (event: E) => {
    events.push(event);
    wake();
  };
  const ended = work(push, signal).finally(() => {
    isOver = true;
    wake();
  });
  ended.catch(() => {}); // thrown below, after the events that came before it
  try {
    for (;;) {
      const batch = events;
      events = [];
      yield* batch;
      if (events.length > 0) continue;
      if (isOver) break;
      await new Promise<void>((resolve) => (wake = resolve));
    }
    await ended;
  } finally {
    controller.abort();
    await ended.catch(() => {});
  }
}
