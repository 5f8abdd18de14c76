// Entry of an engine process: takes one job at a time from its parent, runs it and sends its events up.
// It dies with its parent: when the channel closes, nobody is left to tell, and a successor may start the same work.

import { UserError } from "../../native-models/errors.ts";
import { isCancellation } from "./cancellation.ts";
import type { JobEvent } from "./events.ts";
import type { RunJob } from "./host.ts";
import { downMessage, type UpMessage } from "./messages.ts";

interface ParentPort {
  on(event: "message", listener: (message: { data: unknown }) => void): void;
  postMessage(message: unknown): void;
}

const parentPort = (process as { parentPort?: ParentPort }).parentPort;

function send(message: UpMessage): void {
  if (parentPort !== undefined) parentPort.postMessage(message);
  else if (process.connected) process.send?.(message);
}

async function loadJobs(): Promise<RunJob> {
  // Tests put a module of their own here.
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const specifier = process.env["NULLSPACE_ENGINE_JOBS"] ?? new URL(`./jobs/index.${extension}`, import.meta.url).href;
  const loaded = (await import(specifier)) as { runJob: RunJob };
  return loaded.runJob;
}

const running = new Map<number, AbortController>();

async function work(message: Extract<ReturnType<typeof downMessage.parse>, { type: "start" }>): Promise<void> {
  const { jobId, spec } = message;
  const controller = new AbortController();
  running.set(jobId, controller);
  let end: JobEvent;
  try {
    const runJob = await loadJobs();
    const result = await runJob(spec, (event) => send({ jobId, event }), controller.signal);
    end = { type: "done", result };
  } catch (error) {
    end = controller.signal.aborted && isCancellation(error, controller.signal) ? { type: "cancelled" } : failed(error);
  }
  running.delete(jobId);
  send({ jobId, event: end });
}

function failed(error: unknown): JobEvent {
  if (error instanceof UserError) return { type: "failed", error: { ...error.parts, isBug: false, stack: null } };
  const problem = error instanceof Error ? error : new Error(String(error));
  return {
    type: "failed",
    error: {
      what: `Something went wrong inside Nullspace: ${problem.message}`,
      where: "engine",
      fix: "This is a fault in Nullspace; the log holds the details.",
      isBug: true,
      stack: problem.stack ?? null,
    },
  };
}

function receive(raw: unknown): void {
  const message = downMessage.parse(raw);
  if (message.type === "start") void work(message);
  else running.get(message.jobId)?.abort();
}

if (parentPort !== undefined) {
  parentPort.on("message", ({ data }) => receive(data));
} else if (process.send !== undefined) {
  process.on("message", receive);
  // Not process.exit: that waits for native threads in the middle of their work.
  process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
}
