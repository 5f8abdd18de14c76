// Every start leaves the model as it is: in the training program, and as the adapter that is exported.

import { expect, test } from "vitest";
import { openCheckpoint } from "../../native-models/checkpoint/checkpoint.ts";
import { combineWithStart } from "../../native-models/adapter/combine-with-start.ts";
import { modulesOf } from "../../native-models/programs/names.ts";
import { isMethod, methods } from "../../native-models/starts/methods.ts";
import { readStart } from "../../native-models/starts/start-folder.ts";
import { tempFolder } from "../data/temp-files.ts";
import { naiveLlama } from "../support/naive-llama.ts";
import { pointsOf, tinyRun, train } from "../support/tiny-run.ts";

test("of all ten methods: logits of every token within 1e-4 of the base's, the first loss that of plain LoRA", async () => {
  const folder = tempFolder({});
  const run = tinyRun(folder);
  const checkpoint = openCheckpoint(run.model);
  const model = naiveLlama(checkpoint);
  const ids = Array.from({ length: 20 }, (_, i) => (7 * i + 3) % checkpoint.config.vocabulary);
  const base = model.logits(ids);
  const firstLoss = async (start: string, name: string): Promise<number> => pointsOf((await train(run.job(`run-${name}`, start, { steps: 1 }))).events)[0]!.lossNats;
  const lora = await firstLoss(await run.start("lora"), "plain");
  const names = Object.keys(methods).filter(isMethod);
  expect(names).toHaveLength(10);
  const worst: Record<string, string> = {};
  for (const method of names) {
    const folderOf = await run.start(method);
    const start = readStart(folderOf);
    const exported = (name: string) => (methods[method].kind === "zero" ? start.read(name) : combineWithStart(start.read(name), start.read(name), { isAFrozen: methods[method].kind === "b" })); // nothing is taken off where B is zero
    const logits = model.logits(ids, new Map(modulesOf(checkpoint.config).map(({ name }) => [name, [{ ...exported(name), sign: 1 as const }]])));
    const difference = Math.max(...logits.flatMap((row, t) => Array.from(row, (value, i) => Math.abs(value - base[t]![i]!))));
    const loss = Math.abs((await firstLoss(folderOf, method)) - lora);
    worst[method] = `logits ${difference.toExponential(1)}, first loss ${loss.toExponential(1)}`;
    expect(difference, method).toBeLessThan(1e-4);
    expect(loss, method).toBeLessThan(1e-4);
  }
  console.log(worst);
});
