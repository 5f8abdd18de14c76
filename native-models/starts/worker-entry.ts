// The entry of a start worker (workers.ts): does the layers it is sent until it is sent none.

import { parentPort, workerData } from "node:worker_threads";
import { openCheckpoint } from "../checkpoint/checkpoint.ts";
import { UserError } from "../errors.ts";
import { openGramFile } from "../nullspace/gram-file.ts";
import type { RuntimeKernels } from "../runtime/dense-kernels.ts";
import { openSolverKernels } from "../runtime/solver-kernels.ts";
import { layerMemory, layerStarts, type LayerSource } from "./layer-starts.ts";
import type { FromWorker, ToWorker, WorkerSettings } from "./workers.ts";

if (parentPort) serve(parentPort, workerData as WorkerSettings);

function serve(port: NonNullable<typeof parentPort>, settings: WorkerSettings): void {
  const send = (message: FromWorker, moved: ArrayBuffer[] = []): void => port.postMessage(message, moved);
  const stopping = new AbortController();
  const memory = layerMemory();
  let kernels: RuntimeKernels | null = null;
  let source: LayerSource | null = null;
  let atHand: Promise<void> = Promise.resolve();

  async function doLayer(layer: number): Promise<void> {
    source ??= openSource(settings);
    kernels ??= await openSolverKernels({ threads: settings.threads, onNote: (line) => send({ type: "note", line }) });
    const energies = await layerStarts(source, layer, {
      kernels,
      memory,
      signal: stopping.signal,
      sink: ({ name }, start) => send({ type: "module", name, start }, [start.a.buffer, start.b.buffer] as ArrayBuffer[]),
    });
    send({ type: "layer", energies });
  }
  function report(error: unknown): void {
    if (stopping.signal.aborted) return;
    const parts = error instanceof UserError ? error.parts : null;
    send({ type: "failed", parts, message: error instanceof Error ? error.message : String(error), stack: error instanceof Error ? (error.stack ?? null) : null });
  }
  async function leave(): Promise<void> {
    stopping.abort();
    await atHand;
    await kernels?.release();
    port.close(); // nothing else keeps the thread
  }
  port.on("message", (order: ToWorker) => {
    if (order) atHand = doLayer(order.layer).catch(report);
    else void leave();
  });
  send({ type: "ready" });
}

function openSource({ model, knowledge, task, method, rank, seed }: WorkerSettings): LayerSource {
  return { checkpoint: openCheckpoint(model), knowledge: knowledge ? openGramFile(knowledge) : null, task: task ? openGramFile(task) : null, method, rank, seed };
}
