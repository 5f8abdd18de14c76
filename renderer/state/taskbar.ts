// The running stage's progress on the dock or taskbar, where the shell has one.

import type { ProgressEvent } from "../../main/rpc/contract.ts";
import { progressShare } from "../draw/run-words.ts";
import { shellBridge } from "./transport.ts";

/** Shows it; the result takes it away. */
export function showTaskbarProgress(progress: ProgressEvent | null): () => void {
  const shell = shellBridge();
  shell?.showProgress(progressShare(progress));
  return () => shell?.showProgress(null);
}
