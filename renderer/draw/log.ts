// A run's log: notes, checkpoints and the ends of its stages in one list, newest first.

import type { CheckpointView, RunNote, StageView } from "../../main/rpc/contract.ts";
import { formatDuration } from "./format.ts";
import { stageNames, statusNames } from "./run-words.ts";

export interface LogLine {
  key: string;
  atMs: number;
  text: string;
  isWarning: boolean;
}

interface Sources {
  notes: readonly RunNote[];
  checkpoints: readonly CheckpointView[];
  stages: readonly StageView[];
}

export function logLines({ notes, checkpoints, stages }: Sources): LogLine[] {
  const lines: LogLine[] = [
    ...notes.map(({ id, atMs, kind, text }) => ({ key: `note ${id}`, atMs, text, isWarning: kind === "warning" || kind === "interrupted" })),
    ...checkpoints.map(({ step, writtenMs }) => ({ key: `checkpoint ${step}`, atMs: writtenMs, text: `Checkpoint of step ${step} written`, isWarning: false })),
    ...stages.flatMap(stageLines),
  ];
  // At one moment a stage ends and the next begins: what is later in the list is newer.
  return lines.reverse().sort((a, b) => b.atMs - a.atMs);
}

function stageLines({ stage, status, startedMs, endedMs, workedMs }: StageView): LogLine[] {
  const name = stageNames[stage];
  const lines: LogLine[] = [];
  if (startedMs !== null && status !== "reused") lines.push({ key: `${stage} began`, atMs: startedMs, text: `${name} began`, isWarning: false });
  if (endedMs !== null) {
    const took = workedMs === null || status === "reused" ? "" : ` after ${formatDuration(workedMs)}`;
    lines.push({ key: `${stage} ended`, atMs: endedMs, text: `${name}: ${statusNames[status].toLowerCase()}${took}`, isWarning: status === "failed" });
  }
  return lines;
}
