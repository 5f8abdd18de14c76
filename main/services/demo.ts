// The demo: settings that a small model visibly learns from in two minutes on two cores, on the samples that are shipped.
// The command line and the window start the same run.

import { runParams } from "./params/runs.ts";
import type { Runs } from "./runs.ts";
import { shippedSamples } from "./system.ts";

const settings = {
  name: "Demo: word problems",
  samples: 12,
  calibrationLength: 256,
  method: "lora-null-v2",
  rank: 16,
  steps: 30,
  batch: 8,
  accumulate: 1,
  length: 256,
  learningRate: 1e-3,
  checkpointEverySteps: 10,
  retention: { everySteps: 5, limit: 24 },
} as const;

const knowledge = { shots: 5, limit: 60 };
const task = { shots: 0, limit: 24 };

/** What to ask both models afterwards: something learnt, something kept. */
const prompts = ["Emma has 23 stamps and gives away 9 of them. How many stamps are left?", "What is the capital of Italy?"];

export function demoService(runs: Pick<Runs, "start">) {
  return {
    /** Starts the demo's run on a model, or goes on with one that stopped. */
    async start(model: string): Promise<{ id: number; prompts: string[] }> {
      const { id } = await runs.start(
        runParams.parse({
          ...settings,
          model,
          questions: sample("world-knowledge.calibration.jsonl"),
          data: sample("word-problems.train.jsonl"),
          probe: { ...knowledge, questions: sample("world-knowledge.probe.jsonl") },
          taskProbe: { ...task, questions: sample("word-problems.test.jsonl") },
          continueStopped: true,
        }),
      );
      return { id, prompts };
    },
  };
}

function sample(name: string): string {
  const found = shippedSamples().find((each) => each.name === name);
  if (found === undefined) throw new Error(`The sample ${name} is not shipped with this app`);
  return found.path;
}
