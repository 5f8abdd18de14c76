// One run, live: its stages, every training point, what it had to say, and its results.

import type { CheckpointView, RetentionPoint, RowsReport, RunDetail, RunEvent, RunNote, RunSummary, StageView, TrainPoint, ValidationPoint } from "../../main/rpc/contract.ts";
import { joinPoints } from "../draw/series.ts";
import type { Connection, Problem } from "./connection.svelte.ts";

const pointsPauseMs = 120;

export class RunState {
  readonly id: number;
  run = $state.raw<RunSummary | null>(null);
  stages = $state.raw<readonly StageView[]>([]);
  /** What became of the training rows; null until they are counted. */
  rows = $state.raw<RowsReport | null>(null);
  points = $state.raw<readonly TrainPoint[]>([]);
  /** Losses on the validation rows, in order. */
  validations = $state.raw<readonly ValidationPoint[]>([]);
  /** What of the base's knowledge was there while it trained, in order, from step 0. */
  retentions = $state.raw<readonly RetentionPoint[]>([]);
  notes = $state.raw<readonly RunNote[]>([]);
  checkpoints = $state.raw<readonly CheckpointView[]>([]);
  /** Settings, probes and disk use: read again whenever a stage begins or ends. */
  detail = $state.raw<RunDetail | null>(null);
  problem = $state.raw<Problem | null>(null);
  /** Counts streams opened: a resumed run is followed anew. */
  #opened = $state(0);
  #connection: Connection;

  constructor(connection: Connection, id: number) {
    this.#connection = connection;
    this.id = id;
  }

  /** Inside an $effect. Everything stored is replayed first and replaces what was shown, without emptying it before. */
  follow(): () => void {
    void this.#opened;
    let notes: RunNote[] = [];
    this.validations = [];
    this.retentions = [];
    // Points are shown a few times a second, however fast they come: a long run's replay is drawn once, not by the batch.
    let known: readonly TrainPoint[] = [];
    let timer: ReturnType<typeof setTimeout> | null = null;
    const showPoints = (): void => {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      this.points = known;
    };
    const handle: { [T in RunEvent["type"]]: (event: Extract<RunEvent, { type: T }>) => void } = {
      run: ({ run }) => {
        this.run = run;
        this.problem = null;
      },
      stages: ({ stages }) => {
        this.stages = stages;
        void this.#loadDetail();
      },
      rows: ({ rows }) => {
        this.rows = rows;
      },
      points: ({ points }) => {
        known = joinPoints(known, points);
        timer ??= setTimeout(showPoints, pointsPauseMs);
      },
      validations: ({ validations }) => {
        const first = validations[0]?.step ?? Infinity;
        this.validations = [...this.validations.filter(({ step }) => step < first), ...validations];
      },
      retentions: ({ retentions }) => {
        const first = retentions[0]?.step ?? Infinity;
        this.retentions = [...this.retentions.filter(({ step }) => step < first), ...retentions];
      },
      rewound: ({ toStep }) => {
        this.retentions = this.retentions.filter(({ step }) => step <= toStep);
        this.validations = this.validations.filter(({ step }) => step <= toStep);
        known = known.filter(({ step }) => step <= toStep);
        showPoints();
        this.checkpoints = this.checkpoints.filter(({ step }) => step <= toStep);
      },
      checkpoint: ({ checkpoint }) => {
        this.checkpoints = [...this.checkpoints.filter(({ step }) => step !== checkpoint.step), checkpoint];
      },
      note: ({ note }) => {
        notes = [...notes, note];
        this.notes = notes;
      },
      ended: ({ run }) => {
        showPoints();
        this.run = run;
        this.detail = run;
        this.stages = run.stages;
        this.notes = run.notes;
        this.checkpoints = run.checkpoints;
      },
    };
    const stop = this.#connection.follow((client, signal) => client.runs.follow({ id: this.id }, { signal }), {
      onEvent: (event) => (handle[event.type] as (event: RunEvent) => void)(event),
      onError: (problem) => {
        this.problem = problem;
      },
    });
    return () => {
      if (timer !== null) clearTimeout(timer);
      stop();
    };
  }

  async cancel(): Promise<void> {
    this.run = await this.#connection.calls.runs.cancel({ id: this.id });
  }

  async resume(): Promise<void> {
    await this.#connection.calls.runs.resume({ id: this.id });
    this.#opened += 1;
  }

  async #loadDetail(): Promise<void> {
    const { client } = this.#connection;
    if (client === null) return;
    try {
      this.detail = await client.runs.show({ id: this.id });
    } catch {
      return; // the stream tells why: the run was deleted, or the connection is lost
    }
  }
}
