// How a job says that it stopped because it was asked to.

/** True for the error that a cancelled job ends in: the signal's reason, or any AbortError. */
export function isCancellation(error: unknown, signal: AbortSignal): boolean {
  return error === signal.reason || (error instanceof Error && error.name === "AbortError");
}
