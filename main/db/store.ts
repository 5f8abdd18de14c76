// The whole database as one value: every table's functions, transactions over several of them, and a counter that
// moves when another process has written. Only main/services holds one.

import { checkpointsTable } from "./checkpoints.ts";
import { conversationsTable } from "./conversations.ts";
import { foldersTable } from "./folders.ts";
import { modelsTable } from "./models.ts";
import { openDatabase } from "./open.ts";
import { ownersTable } from "./owners.ts";
import { probeAnswersTable } from "./probe-answers.ts";
import { probeScoresTable } from "./probe-scores.ts";
import { probesTable } from "./probes.ts";
import { retentionBasesTable } from "./retention-bases.ts";
import { runNotesTable } from "./run-notes.ts";
import { runPointsTable } from "./run-points.ts";
import { runMemoryTable } from "./run-memory.ts";
import { runRetentionsTable } from "./run-retentions.ts";
import { runRowsTable } from "./run-rows.ts";
import { runSpansTable } from "./run-spans.ts";
import { runStagesTable } from "./run-stages.ts";
import { runValidationsTable } from "./run-validations.ts";
import { runsTable } from "./runs.ts";
import { settingsTable } from "./settings.ts";
import { stageOutputsTable } from "./stage-outputs.ts";
import { turnsTable } from "./turns.ts";
import { votesTable } from "./votes.ts";

export type Store = ReturnType<typeof openStore>;

export function openStore(file: string) {
  const sql = openDatabase(file);
  return {
    folders: foldersTable(sql),
    models: modelsTable(sql),
    settings: settingsTable(sql),
    owners: ownersTable(sql),
    runs: runsTable(sql),
    runStages: runStagesTable(sql),
    runPoints: runPointsTable(sql),
    runValidations: runValidationsTable(sql),
    runRetentions: runRetentionsTable(sql),
    retentionBases: retentionBasesTable(sql),
    runMemory: runMemoryTable(sql),
    runRows: runRowsTable(sql),
    runSpans: runSpansTable(sql),
    checkpoints: checkpointsTable(sql),
    runNotes: runNotesTable(sql),
    stageOutputs: stageOutputsTable(sql),
    probes: probesTable(sql),
    probeAnswers: probeAnswersTable(sql),
    probeScores: probeScoresTable(sql),
    conversations: conversationsTable(sql),
    turns: turnsTable(sql),
    votes: votesTable(sql),
    /** All or nothing; short and synchronous. Waits for another process that writes. */
    together: <T>(work: () => T): T => sql.transaction(work).immediate(),
    /** Changes whenever another connection has committed. */
    foreignChanges: (): number => sql.pragma("data_version", { simple: true }) as number,
    close: () => void sql.close(),
  };
}
