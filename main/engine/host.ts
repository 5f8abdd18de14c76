// Runs jobs in processes of their own and reports how each ended.
// In: job specs from services. Out: events as they come, and exactly one end. Sessions of the runtime keep memory after
// release, so calibrate, init and train get a fresh process each; ask, surprise and probe share a warm one while the model
// stays, and looks at training rows share another.

import type { Emit, JobEvent } from "./events.ts";
import type { JobResult } from "./job-results.ts";
import type { JobSpec, ResultOf } from "./jobs.ts";
import { forkEngine, type EngineProcess, type Launch } from "./launch.ts";
import { upMessage, type DownMessage } from "./messages.ts";

/** What jobs/index.ts exports and the engine process calls. */
export type RunJob = (spec: JobSpec, emit: Emit, signal: AbortSignal) => Promise<JobResult>;

type FailedEvent = Extract<JobEvent, { type: "failed" }>;

export type JobEnd<J extends JobSpec = JobSpec> =
  | { type: "done"; result: ResultOf<J> }
  /** hasDied: the process ended without a word, so the job can be tried again. */
  | { type: "failed"; error: FailedEvent["error"]; hasDied: boolean; lastCheckpointStep: number | null }
  | { type: "cancelled" };

export interface Engine {
  /** Never rejects. `emit` gets everything but the end. */
  run<J extends JobSpec>(spec: J, options: { emit: Emit; signal: AbortSignal }): Promise<JobEnd<J>>;
  /** Ends every process, at once. */
  close(): Promise<void>;
}

export interface EngineOptions {
  launch?: Launch;
  /** Module that exports runJob, in place of ours. */
  jobsModule?: string;
  /** Time a cancelled job has to stop by itself. */
  graceMs?: number;
  /** Time a warm process is kept without work. */
  idleMs?: number;
  /** Output of the engine processes and broken messages. */
  log?: (text: string) => void;
}

interface Worker {
  process: EngineProcess;
  /** What it may be used for again; null for a process that runs one job. */
  warmth: Warmth | null;
  isBusy: boolean;
  isGone: boolean;
  idleTimer: NodeJS.Timeout | null;
  tail: string;
  onUp: (message: unknown) => void;
  onGone: (code: number | null, signal: string | null) => void;
}

interface Warmth {
  work: "answers" | "rows";
  /** Width and model whose session it may hold; null where it holds none. */
  model: string | null;
}

function warmthOf(spec: JobSpec): Warmth | null {
  if (spec.kind === "ask" || spec.kind === "surprise" || spec.kind === "probe") return { work: "answers", model: `${spec.weights?.width ?? "float32"} ${spec.model}` };
  return spec.kind === "count-rows" || spec.kind === "estimate" ? { work: "rows", model: null } : null;
}

export function startEngine(options: EngineOptions = {}): Engine {
  const { launch = forkEngine, graceMs = 10_000, idleMs = 3 * 60_000, log = () => {} } = options;
  const env: Record<string, string> = {};
  if (options.jobsModule !== undefined) env["NULLSPACE_ENGINE_JOBS"] = options.jobsModule;
  const workers = new Set<Worker>();
  let nextJobId = 1;
  let isClosed = false;

  function startWorker(warmth: Warmth | null): Worker {
    const worker: Worker = {
      process: launch(env),
      warmth,
      isBusy: false,
      isGone: false,
      idleTimer: null,
      tail: "",
      onUp: () => {},
      onGone: () => {},
    };
    workers.add(worker);
    worker.process.onMessage((message) => worker.onUp(message));
    worker.process.onOutput((text) => {
      worker.tail = (worker.tail + text).slice(-4000);
      log(text);
    });
    worker.process.onExit((code, signal) => {
      worker.isGone = true;
      workers.delete(worker);
      if (worker.idleTimer !== null) clearTimeout(worker.idleTimer);
      worker.onGone(code, signal);
    });
    return worker;
  }

  function workerFor(spec: JobSpec): Worker {
    const warmth = warmthOf(spec);
    if (warmth === null) return startWorker(null);
    for (const worker of workers) {
      if (worker.warmth?.work !== warmth.work || worker.isBusy || worker.isGone) continue;
      if (worker.warmth.model === warmth.model) return worker;
      worker.process.kill(); // another model: its memory is needed
    }
    return startWorker(warmth);
  }

  function release(worker: Worker): void {
    worker.isBusy = false;
    worker.onUp = () => {};
    worker.onGone = () => {};
    if (worker.isGone) return;
    if (worker.warmth === null || isClosed) return worker.process.kill();
    worker.idleTimer = setTimeout(() => worker.process.kill(), idleMs);
    worker.idleTimer.unref();
  }

  function run<J extends JobSpec>(spec: J, { emit, signal }: { emit: Emit; signal: AbortSignal }): Promise<JobEnd<J>> {
    if (signal.aborted || isClosed) return Promise.resolve({ type: "cancelled" });
    const jobId = nextJobId++;
    const worker = workerFor(spec);
    worker.isBusy = true;
    worker.tail = "";
    if (worker.idleTimer !== null) clearTimeout(worker.idleTimer);
    const send = (message: DownMessage) => worker.process.send(message);

    return new Promise((resolve) => {
      let checkpoint: { step: number; path: string } | null = null;
      let killTimer: NodeJS.Timeout | null = null;

      const end = (result: JobEnd<J>) => {
        if (killTimer !== null) clearTimeout(killTimer);
        signal.removeEventListener("abort", cancel);
        release(worker);
        resolve(result);
      };
      const cancel = () => {
        send({ type: "cancel", jobId });
        killTimer = setTimeout(() => worker.process.kill(), graceMs);
      };
      worker.onUp = (raw) => {
        const parsed = upMessage.safeParse(raw);
        if (!parsed.success) return log(`The engine process sent a message that is not one: ${parsed.error.message}\n`);
        const { event } = parsed.data;
        if (parsed.data.jobId !== jobId) return;
        if (event.type === "checkpoint" || event.type === "resumed") checkpoint = { step: event.step, path: event.path };
        if (event.type === "done") end({ type: "done", result: event.result as ResultOf<J> });
        else if (event.type === "cancelled") end(event);
        else if (event.type === "failed") end({ ...event, hasDied: false, lastCheckpointStep: checkpoint?.step ?? null });
        else emit(event);
      };
      worker.onGone = (code, exitSignal) => {
        if (signal.aborted || isClosed) return end({ type: "cancelled" });
        const error = deathOf(spec, { code, exitSignal, tail: worker.tail, checkpoint });
        end({ type: "failed", error, hasDied: true, lastCheckpointStep: checkpoint?.step ?? null });
      };
      signal.addEventListener("abort", cancel, { once: true });
      send({ type: "start", jobId, spec });
    });
  }

  return {
    run,
    async close() {
      isClosed = true;
      await Promise.all(
        [...workers].map(
          (worker) =>
            new Promise<void>((resolve) => {
              worker.process.onExit(() => resolve());
              worker.process.kill();
            }),
        ),
      );
    },
  };
}

interface Death {
  code: number | null;
  exitSignal: string | null;
  tail: string;
  checkpoint: { step: number; path: string } | null;
}

/** What to tell about a process that ended in the middle of a job. */
function deathOf(spec: JobSpec, { code, exitSignal, tail, checkpoint }: Death): FailedEvent["error"] {
  const how = exitSignal !== null ? `was ended by ${exitSignal}` : `ended with code ${code ?? "unknown"}`;
  const wasKilled = exitSignal === "SIGKILL" || exitSignal === "SIGTERM" || exitSignal === "SIGINT";
  const why = exitSignal === "SIGKILL" ? " Often this means that memory ran out." : "";
  return {
    what: `The engine process ${how} in the middle of the ${spec.kind} job.${why}`,
    where: spec.kind === "train" ? spec.out : `engine: ${spec.kind}`,
    fix: spec.kind === "train" ? resumeAdvice(checkpoint) : "Start it again; close other programs if memory was short.",
    isBug: !wasKilled,
    stack: tail.trim() === "" ? null : tail.trim(),
  };
}

function resumeAdvice(checkpoint: Death["checkpoint"]): string {
  if (checkpoint === null) return "No checkpoint had been written yet: resuming starts at step 0.";
  return `Resume it: training goes on from the checkpoint of step ${checkpoint.step} (${checkpoint.path}).`;
}
