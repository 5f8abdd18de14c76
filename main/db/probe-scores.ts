// Scores of probes that are done, worked out from their answers by main/services/probe-scores.ts.

import { fromJson } from "./rows.ts";
import type { Sql } from "./open.ts";

export function probeScoresTable(sql: Sql) {
  const put = sql.prepare<[number, string]>("INSERT OR REPLACE INTO probe_scores (probe_id, scores) VALUES (?, ?)");
  const find = sql.prepare<[number], { scores: string }>("SELECT scores FROM probe_scores WHERE probe_id = ?");
  return {
    put: (probeId: number, scores: unknown) => void put.run(probeId, JSON.stringify(scores)),
    find: (probeId: number): unknown => fromJson<unknown>(find.get(probeId)?.scores ?? null, "probe_scores.scores"),
  };
}
