// The loss on rows that are not trained on.
// In: the adapters as they stand, rows in micro-batches. Out: the mean loss a trained token. A program of its own costs a
// second copy of the weights in memory (the runtime keeps them per session); where that is too much, the gradient program
// serves, at three times the work.

import type { Checkpoint } from "../checkpoint/types.ts";
import { buildLossProgram, type LossProgramOptions } from "../programs/loss-program.ts";
import { countTargets, trainFeeds, type TrainRow } from "../programs/train-program.ts";
import { openSession, type SessionOptions } from "../runtime/session.ts";
import type { Trainer } from "./trainer.ts";

/** "forward": a program of its own. "gradients": the training program's forward half. */
export type ValidatesBy = "forward" | "gradients";

export interface Validator {
  evaluate(microBatches: AsyncIterable<readonly TrainRow[]> | Iterable<readonly TrainRow[]>): Promise<{ lossNats: number; trainedTokens: number }>;
  release(): Promise<void>;
}

export interface ValidatorOptions extends LossProgramOptions {
  checkpoint: Checkpoint;
  trainer: Trainer;
  by: ValidatesBy;
  session?: Omit<SessionOptions, "weightsFolder">;
}

export async function createValidator({ checkpoint, trainer, by, session: options, ...program }: ValidatorOptions): Promise<Validator> {
  if (by === "gradients") return { evaluate: (microBatches) => meanLoss(microBatches, trainer.sumLoss), release: async () => {} };
  const session = await openSession(buildLossProgram(checkpoint, program), { ...options, weightsFolder: checkpoint.folder });
  const rep = checkpoint.config.heads / checkpoint.config.kvHeads;
  const sumLoss = async (rows: readonly TrainRow[]): Promise<number> => {
    const { loss } = await session.run({ ...trainFeeds(rows, 1, rep).feeds, ...trainer.adapterFeeds });
    return loss.data[0] as number;
  };
  return { evaluate: (microBatches) => meanLoss(microBatches, sumLoss), release: () => session.release() };
}

async function meanLoss(microBatches: Parameters<Validator["evaluate"]>[0], sumLoss: (rows: readonly TrainRow[]) => Promise<number>): ReturnType<Validator["evaluate"]> {
  let [sumNats, trainedTokens] = [0, 0];
  for await (const rows of microBatches) {
    const targets = rows.reduce((sum, row) => sum + countTargets(row), 0);
    if (targets === 0) continue;
    sumNats += await sumLoss(rows);
    trainedTokens += targets;
  }
  return { lossNats: sumNats / trainedTokens, trainedTokens };
}
