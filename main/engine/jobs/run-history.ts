// What a training has said of itself, kept as it is said: points, validations, measurements of retention, warnings. Each
// checkpoint holds it as text, so that a run that goes on tells it again: whoever listened may have died before it was stored.

import type { Emit, RunHistory } from "../events.ts";

export interface HistoryRecorder {
  /** What was said before this sitting; null where nothing was, or an older version wrote the checkpoint. */
  earlier: RunHistory | null;
  /** Hands events on, and keeps those that belong to the history. */
  emit: Emit;
  /** For a checkpoint. */
  text(): string;
}

/** `before`: the text of the checkpoint that the run goes on from. */
export function recordHistory(emit: Emit, before: string | null): HistoryRecorder {
  const earlier = before === null ? null : (JSON.parse(before) as RunHistory);
  const said: RunHistory = earlier === null ? { points: [], validations: [], retentions: [], warnings: [] } : structuredClone(earlier);
  return {
    earlier,
    emit(event) {
      if (event.type === "point") said.points.push(event.point);
      else if (event.type === "validation") said.validations.push(event.point);
      else if (event.type === "retention") said.retentions.push(event.point);
      else if (event.type === "warning") said.warnings.push(event.warning);
      emit(event);
    },
    text: () => JSON.stringify(said),
  };
}
