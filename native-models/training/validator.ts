// What the adapters in training make of rows that are not trained on.
// In: the adapters as they stand, rows in micro-batches. Out: the mean loss a trained token, or each row's likelihood. A
// program of its own costs a second copy of the weights in memory (the runtime keeps them per session); where that is too
// much, the gradient program serves, at three times the work.

import type { Checkpoint } from "../checkpoint/types.ts";
import { buildLossProgram, type LossProgramOptions } from "../programs/loss-program.ts";
import { countTargets, trainFeeds, type TrainRow } from "../programs/train-program.ts";
import { openSession, type SessionOptions, type TensorData } from "../runtime/session.ts";
import type { AnswerLikelihood } from "./retention.ts";
import type { Trainer } from "./trainer.ts";

/** "forward": a program of its own. "gradients": the training program's forward half. */
export type ValidatesBy = "forward" | "gradients";

type MicroBatches = AsyncIterable<readonly TrainRow[]> | Iterable<readonly TrainRow[]>;

export interface Validator {
  evaluate(microBatches: MicroBatches): Promise<{ lossNats: number; trainedTokens: number }>;
  /** Of each row in turn, over its trained tokens; every row has some. What the rows of a micro-batch begin with is computed
   *  once where a program of its own serves, which needs `tellsTokens`. */
  likelihoods(microBatches: MicroBatches): Promise<AnswerLikelihood[]>;
  release(): Promise<void>;
}

export interface ValidatorOptions extends LossProgramOptions {
  checkpoint: Checkpoint;
  trainer: Trainer;
  by: ValidatesBy;
  session?: Omit<SessionOptions, "weightsFolder">;
}

export async function createValidator({ checkpoint, trainer, by, session: options, ...program }: ValidatorOptions): Promise<Validator> {
  if (by === "gradients") {
    const likelihoods = (microBatches: MicroBatches) => eachRow(microBatches, async (row) => ({ nats: -(await trainer.sumLoss([row])) / countTargets(row), isGreedy: null }));
    return { evaluate: (microBatches) => meanLoss(microBatches, trainer.sumLoss), likelihoods, release: async () => {} };
  }
  const session = await openSession(buildLossProgram(checkpoint, program), { ...options, weightsFolder: checkpoint.weights.folder });
  const run = (feeds: Readonly<Record<string, TensorData>>, only: readonly string[]) => session.run({ ...feeds, ...trainer.adapterFeeds }, { only });
  const sumLoss = async (rows: readonly TrainRow[]): Promise<number> => (await run(trainFeeds(rows, 1, checkpoint.config).feeds, ["loss"])).loss.data[0] as number;
  return {
    evaluate: (microBatches) => meanLoss(microBatches, sumLoss),
    async likelihoods(microBatches) {
      const found: AnswerLikelihood[] = [];
      for await (const rows of microBatches) {
        const { nll, best } = await run(trainFeeds(rows, 1, checkpoint.config).feeds, ["nll", "best"]);
        let first = 0; // targets stand row by row
        for (const row of rows) {
          const targets = targetsOf(row);
          const sumNats = targets.reduce((sum, _, i) => sum + (nll.data[first + i] as number), 0);
          found.push({ nats: -sumNats / targets.length, isGreedy: targets.every((id, i) => Number(best.data[first + i]) === id) });
          first += targets.length;
        }
      }
      return found;
    },
    release: () => session.release(),
  };
}

async function eachRow(microBatches: MicroBatches, measure: (row: TrainRow) => Promise<AnswerLikelihood>): Promise<AnswerLikelihood[]> {
  const found: AnswerLikelihood[] = [];
  for await (const rows of microBatches) for (const row of rows) found.push(await measure(row));
  return found;
}

function targetsOf({ ids, isTrained }: TrainRow): number[] {
  return Array.from(ids).filter((_, t) => t > 0 && isTrained[t]);
}

async function meanLoss(microBatches: MicroBatches, sumLoss: (rows: readonly TrainRow[]) => Promise<number>): ReturnType<Validator["evaluate"]> {
  let [sumNats, trainedTokens] = [0, 0];
  for await (const rows of microBatches) {
    const targets = rows.reduce((sum, row) => sum + countTargets(row), 0);
    if (targets === 0) continue;
    sumNats += await sumLoss(rows);
    trainedTokens += targets;
  }
  return { lossNats: sumNats / trainedTokens, trainedTokens };
}
