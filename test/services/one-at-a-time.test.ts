import { expect, test } from "vitest";
import { oneAtATime } from "../../main/services/one-at-a-time.ts";

const never = new AbortController().signal;

test("work is done one after the other, in order, also after a failure", async () => {
  const inTurn = oneAtATime();
  const log: string[] = [];
  const work = (name: string, fails = false) => async () => {
    log.push(`${name} begins`);
    await new Promise((resolve) => setTimeout(resolve, 5));
    log.push(`${name} ends`);
    if (fails) throw new Error(name);
    return name;
  };
  const all = await Promise.allSettled([inTurn(never, work("a"), ""), inTurn(never, work("b", true), ""), inTurn(never, work("c"), "")]);
  expect(log).toEqual(["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
  expect(all.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
});

test("work that is given up while it waits is never begun, and its caller waits no longer", async () => {
  const inTurn = oneAtATime();
  const first = Promise.withResolvers<string>();
  const a = inTurn(never, () => first.promise, "");
  const controller = new AbortController();
  let isBegun = false;
  const b = inTurn(controller.signal, async () => ((isBegun = true), "done"), "skipped");
  controller.abort();
  expect(await b).toBe("skipped");
  const c = inTurn(never, async () => "after", "");
  first.resolve("first");
  expect([await a, await c, isBegun]).toEqual(["first", "after", false]);
  expect(await inTurn(controller.signal, async () => "done", "skipped")).toBe("skipped");
});
