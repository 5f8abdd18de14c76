// What a model holds of a given continuation of a prompt.

import { indexOfLargest } from "./sampling.ts";

export interface Continuation {
  /** Σ ln p of the continuation's tokens. */
  logLikelihood: number;
  /** ln p of each token, in order. */
  tokenLogLikelihoods: number[];
  tokens: number;
  /** Every token is the most likely one. */
  isGreedy: boolean;
}

/** A token of a continuation with what the model held of it. */
export interface ScoredToken {
  target: number;
  /** The most likely token in its place. */
  best: number;
  logLikelihood: number;
}

export function continuationOf(tokens: readonly ScoredToken[]): Continuation {
  const tokenLogLikelihoods = tokens.map(({ logLikelihood }) => logLikelihood);
  return {
    logLikelihood: tokenLogLikelihoods.reduce((sum, value) => sum + value, 0),
    tokenLogLikelihoods,
    tokens: tokens.length,
    isGreedy: tokens.every(({ target, best }) => target === best),
  };
}

export function logSumExp(values: Float32Array): number {
  const peak = values[indexOfLargest(values)];
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += Math.exp(values[i] - peak);
  return peak + Math.log(sum);
}
