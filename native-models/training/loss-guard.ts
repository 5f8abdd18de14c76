// Tells a loss that has exploded from one that is merely high.
// In: the losses of the last steps. Out: why the run must stop, or null. A batch of hard rows may triple the loss, and a
// fresh task may begin above the loss of a uniform guess; both at once mean that the model is broken.

/** Losses that the median is taken over. */
export const rememberedLosses = 64;
const leastRemembered = 8;
/** Times the running median. */
export const explosionFactor = 3;

/** `recent`: losses of the steps before, newest last. `uniformNats`: ln(vocabulary), what a uniform guess costs. */
export function whyBroken(lossNats: number, gradNorm: number, recent: readonly number[], uniformNats: number): string | null {
  if (!Number.isFinite(lossNats) || !Number.isFinite(gradNorm)) return `loss ${lossNats}, gradient norm ${gradNorm}`;
  if (recent.length < leastRemembered) return null;
  const median = medianOf(recent);
  if (lossNats <= explosionFactor * median || lossNats <= uniformNats) return null;
  return `the loss ${lossNats.toFixed(3)} is more than ${explosionFactor} times the ${median.toFixed(3)} of the ${recent.length} steps before, and above the ${uniformNats.toFixed(3)} of a uniform guess`;
}

export function remember(recent: readonly number[], lossNats: number): number[] {
  return [...recent, lossNats].slice(-rememberedLosses);
}

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
