// Training a set of adapters on the CPU provider: gradients of each micro-batch, their sum, one AdamW update a step.
// In: a gradient program, its fixed tensors and a state. Out: the state, changed in place, and each step's figures.

import type { Checkpoint } from "../checkpoint/types.ts";
import { adamWScalars, buildAdamWProgram, type AdamWSettings } from "../programs/adamw-program.ts";
import { countTargets, gradientName, trainFeeds, type TrainProgram, type TrainRow } from "../programs/train-program.ts";
import { f32, openSession, type Session, type SessionOptions, type TensorData } from "../runtime/session.ts";
import { viewOf, type TrainState } from "./state.ts";

export interface StepFigures {
  /** Mean over the window's trained tokens, nats. */
  lossNats: number;
  /** Global gradient norm before clipping. */
  gradNorm: number;
  /** Tokens of the window's rows, trained or not, without padding. */
  tokens: number;
  trainedTokens: number;
}

export interface TrainerOptions {
  checkpoint: Checkpoint;
  compiled: TrainProgram;
  /** The start's tensors by name: A0 and B0, or v2's A and B0. */
  fixed: (name: string) => Float32Array;
  state: TrainState;
  optimizer: AdamWSettings;
  session?: Omit<SessionOptions, "weightsFolder">;
}

export interface Trainer {
  /** One optimizer step over micro-batches of rows; the loss divides by the trained tokens of them all. */
  step(window: readonly (readonly TrainRow[])[], learningRate: number): Promise<StepFigures>;
  /**
   * Σ loss over the rows' trained tokens, nats, by the gradient program: for where memory is too short for a program of
   * its own. It costs as much time as training on the rows; the gradients are thrown away.
   */
  sumLoss(rows: readonly TrainRow[]): Promise<number>;
  /** The gradient of the last step's window, flat. */
  readonly gradients: Float32Array;
  /** The adapters as programs take them: views of the state, and the fixed ones. */
  readonly adapterFeeds: Readonly<Record<string, TensorData>>;
  endProfile(): void;
  release(): Promise<void>;
}

export async function createTrainer(options: TrainerOptions): Promise<Trainer> {
  const { checkpoint, compiled, state, optimizer } = options;
  const gradientSession = await openSession(compiled.program, { ...options.session, weightsFolder: checkpoint.weights.folder });
  const updateSession = await openSession(buildAdamWProgram(optimizer));
  const fixedFeeds = Object.fromEntries(compiled.fixed.map(({ name, shape }) => [name, f32(options.fixed(name), ...shape)]));
  const parameterFeeds = Object.fromEntries(state.views.map((view) => [view.name, viewOf(state.parameters, view)]));
  const adapterFeeds = { ...parameterFeeds, ...fixedFeeds };
  const size = state.parameters.length;
  const window = new Float32Array(size);
  const microBatch = new Float32Array(size);
  const outputsInto = (flat: Float32Array): Record<string, TensorData> => Object.fromEntries(state.views.map((view) => [gradientName(view.name), viewOf(flat, view)]));
  const intoWindow = outputsInto(window);
  const intoMicroBatch = outputsInto(microBatch);

  return {
    gradients: window,
    adapterFeeds,
    async sumLoss(rows) {
      const outputs = await gradientSession.run({ ...trainFeeds(rows, 1, checkpoint.config).feeds, ...adapterFeeds }, { into: intoMicroBatch });
      const sumNats = outputs.loss.data[0] as number;
      letGo(outputs, window, microBatch);
      return sumNats;
    },
    async step(microBatches, learningRate) {
      const trainedTokens = microBatches.flat().reduce((sum, row) => sum + countTargets(row), 0);
      if (trainedTokens === 0) throw new Error(`Step ${state.step + 1} has no trained token`);
      let lossNats = 0;
      let tokens = 0;
      let isFirst = true;
      for (const rows of microBatches) {
        if (rows.every((row) => countTargets(row) === 0)) continue; // contributes nothing to the window's loss
        const fed = trainFeeds(rows, trainedTokens, checkpoint.config);
        const outputs = await gradientSession.run({ ...fed.feeds, ...adapterFeeds }, { into: isFirst ? intoWindow : intoMicroBatch });
        lossNats += outputs.loss.data[0] as number;
        letGo(outputs, window, microBatch);
        tokens += fed.tokens;
        if (!isFirst) addInto(window, microBatch);
        isFirst = false;
      }
      const gradNorm = await update(updateSession, optimizer, state, window, learningRate);
      return { lossNats, gradNorm, tokens, trainedTokens };
    },
    endProfile: () => gradientSession.endProfile(),
    async release() {
      await gradientSession.release();
      await updateSession.release();
    },
  };
}

async function update(session: Session, settings: AdamWSettings, state: TrainState, gradients: Float32Array, learningRate: number): Promise<number> {
  const size = state.parameters.length;
  const next = await session.run({
    p: f32(state.parameters, size),
    m: f32(state.firstMoments, size),
    v: f32(state.secondMoments, size),
    g: f32(gradients, size),
    ...adamWScalars(settings, learningRate, state.step + 1),
  });
  const gradNorm = next.norm.data[0] as number;
  if (!Number.isFinite(gradNorm)) return gradNorm; // the caller stops the run; the state stays as it was
  state.parameters.set(next["p'"].data as Float32Array);
  state.firstMoments.set(next["m'"].data as Float32Array);
  state.secondMoments.set(next["v'"].data as Float32Array);
  state.step += 1;
  letGo(next);
  return gradNorm;
}

/**
 * Frees outputs that have been read. The runtime's binding gives each as a new array, also where it was written into a
 * given one; left to the garbage collector they pile up to many times the adapters' size.
 */
function letGo(outputs: Readonly<Record<string, TensorData>>, ...given: readonly Float32Array[]): void {
  for (const { data } of Object.values(outputs)) {
    if (!given.some(({ buffer }) => buffer === data.buffer)) (data.buffer as ArrayBuffer).transfer(0);
  }
}

function addInto(total: Float32Array, part: Float32Array): void {
  for (let i = 0; i < total.length; i++) total[i] += part[i];
}
