// The form of a new run: a draft, what is wrong with it, and previews of the files it names. The draft is kept in this
// browser, also when the page is loaded again; the first one begins with the settings of the last run, or with the
// shipped samples.

import { errorParts } from "../../main/rpc/client.ts";
import { defaultLearningRates, defaults, readsKnowledge, runParams, shortAnswered, type AppSettings, type ColumnMapping, type MemoryProposal, type QuestionsPreview, type RunEstimate, type RunStartInput, type Split } from "../../main/rpc/contract.ts";
import { issuesByField, planSteps } from "../draw/form.ts";
import { expectedCostShare } from "../draw/retention.ts";
import type { Connection, Problem } from "./connection.svelte.ts";
import { forgetDraft, keepDraft, keptDraft } from "./kept-draft.ts";
import { Preview } from "./preview.svelte.ts";
import { emptyProbe, probeDraftOf, probeInput } from "./probe-draft.ts";
import { RowsLook } from "./rows-look.svelte.ts";
import type { SystemState } from "./system.svelte.ts";

const previewedRows = 8;
const previewedQuestions = 24;

/** Validation as the form has it: every source keeps its own value while another is chosen. */
interface ValidationDraft {
  isOn: boolean;
  from: "share" | "rows" | "data";
  share: number | null;
  rows: number | null;
  data: string;
  everySteps: number;
  patience: number | null;
  leastImprovementNats: number;
  keeps: "best" | "last";
}

interface RetentionDraft {
  isOn: boolean;
  /** "": those of the probe, else those of the calibration. */
  questions: string;
  shots: number;
  limit: number;
  everySteps: number;
  /** Percent of the base; null: training never stops for it. */
  floorPercent: number | null;
}

const emptyDraft = () => ({
  name: "",
  model: "",
  questions: "",
  samples: defaults.samples as number,
  calibrationLength: defaults.calibrationLength as number,
  method: defaults.method as RunStartInput["method"],
  rank: defaults.rank as number,
  data: "",
  mapping: null as ColumnMapping | null,
  split: null as Split | null,
  template: "auto" as RunStartInput["template"],
  duration: "epochs" as "epochs" | "steps",
  epochs: defaults.epochs as number,
  steps: 100,
  batch: defaults.batch as number,
  accumulate: defaults.accumulate as number,
  length: defaults.length as number,
  overLong: defaults.overLong as NonNullable<RunStartInput["overLong"]>,
  learningRate: defaultLearningRates[defaults.method] as number,
  warmupRatio: defaults.warmupRatio as number,
  clipNorm: defaults.clipNorm as number | null,
  weightDecay: defaults.weightDecay as number,
  checkpointEverySteps: defaults.checkpointEverySteps as number,
  validation: {
    isOn: false, from: "share", share: 0.05, rows: 32, data: "", everySteps: defaults.validateEverySteps, patience: null,
    leastImprovementNats: defaults.leastImprovementNats, keeps: defaults.keeps,
  } as ValidationDraft,
  retention: {
    isOn: true, questions: "", shots: defaults.retentionShots, limit: defaults.retentionLimit, everySteps: defaults.retentionEverySteps, floorPercent: null,
  } as RetentionDraft,
  recomputed: defaults.recomputed as NonNullable<RunStartInput["recomputed"]>,
  /** Memory that calibration and training may take, in GB (10⁹ bytes); null: what the machine has free. */
  memoryGb: null as number | null,
  seed: defaults.seed as number,
  probe: emptyProbe("nq_open", { shots: 5, limit: 100 }),
  taskProbe: emptyProbe("rows", { shots: null, limit: 40 }),
});

export class NewRunState {
  draft = $state(emptyDraft());
  questionsPreview = new Preview<QuestionsPreview>();
  rows = new RowsLook();
  memory = new Preview<RunEstimate | null>();
  isStarting = $state(false);
  /** Why the last start failed; gone with the next change or try. */
  problem = $state.raw<Problem | null>(null);
  /** Counts how often the rows were to be counted again. */
  #counts = $state(0);
  #isFilled = $state(false);
  #connection: Connection;
  #system: SystemState;

  needsCalibration = $derived(readsKnowledge(this.draft.method ?? defaults.method));
  input = $derived.by((): RunStartInput => {
    const { name, probe, taskProbe, duration, steps, epochs, validation, memoryGb, retention: _, ...rest } = this.draft;
    return {
      ...rest,
      name: name.trim() === "" ? null : name.trim(),
      steps: duration === "steps" ? steps : null,
      epochs: duration === "epochs" ? epochs : null,
      validation: validationOf(validation),
      retention: this.#retention(),
      memoryBytes: bytesOf(memoryGb),
      probe: probeInput(probe),
      taskProbe: probeInput(taskProbe),
    };
  });
  /** What is wrong, by field. */
  wrong = $derived.by((): Record<string, string> => {
    const checked = runParams.safeParse(this.input);
    return checked.success ? {} : issuesByField(checked.error.issues);
  });
  #wrongCount = $derived(Object.keys(this.wrong).length);
  /** The questions that retention is measured on. */
  retentionQuestions = $derived.by((): string => {
    const { retention, probe, questions } = this.draft;
    return retention.questions || (probe.isOn && shortAnswered.includes(probe.task) && probe.questions) || questions; // as main/services/retention-settings.ts
  });
  /** What measuring retention adds to training's work, 0.02 for two percent; null while it is not known. */
  retentionCost = $derived.by((): number | null => {
    const { expected } = this.rows;
    const plan = this.memory.value;
    if (plan === null || expected === null || this.plan === null || !this.draft.retention.isOn) return null;
    const { retentionTokens, validatesBy } = plan;
    return expectedCostShare({ retentionTokens, everySteps: this.draft.retention.everySteps, rowsPerStep: this.plan.rowsPerStep, tokensPerRow: expected.tokens / expected.keptRows, isByGradients: validatesBy === "gradients" });
  });
  plan = $derived.by(() => {
    const { expected } = this.rows;
    return expected === null ? null : planSteps({ ...this.draft, ...this.#duration(), keptRows: expected.keptRows - heldOutRows(this.draft.validation, expected.keptRows) });
  });

  constructor(connection: Connection, system: SystemState) {
    this.#connection = connection;
    this.#system = system;
  }

  /** Fills the draft once, as soon as the machine's samples and the last settings are known. */
  fill(): void {
    const { info, settings } = this.#system;
    if (this.#isFilled || info === null || settings === null) return;
    this.#isFilled = true;
    const { draft } = this;
    const kept = keptDraft(emptyDraft());
    const last = settings.lastRun;
    if (kept !== null) {
      Object.assign(draft, kept);
    } else if (last !== null) {
      const { name: _, steps, epochs, probe, taskProbe, continueStopped: __, validation, retention, memoryBytes, ...rest } = last;
      // A run keeps the template it came to; the form goes on choosing by the model.
      const template = last.template === "alpaca" ? "alpaca" : "auto";
      Object.assign(draft, rest, { template, duration: steps === null ? "epochs" : "steps", steps: steps ?? draft.steps, epochs: epochs ?? draft.epochs, memoryGb: memoryBytes ? memoryBytes / 1e9 : null });
      if (validation) draft.validation = validationDraft(draft.validation, validation);
      draft.retention = retentionDraft(draft.retention, retention ?? null);
      draft.probe = probeDraftOf(draft.probe, probe);
      draft.taskProbe = probeDraftOf(draft.taskProbe, taskProbe);
    }
    this.#fillSamples();
  }

  #fillSamples(): void {
    const { draft } = this;
    draft.questions ||= this.#system.sample("calibration") ?? "";
    draft.data ||= this.#system.sample(".train.") ?? "";
    draft.probe.questions ||= this.#system.sample("probe") ?? "";
    draft.taskProbe.questions ||= this.#system.sample(".test.") ?? "";
  }

  /** Inside an $effect: a problem of the last start is out of date once a setting has changed. */
  forgetProblem(): void {
    void this.input;
    this.problem = null;
  }

  /** Inside an $effect. */
  previewQuestions(): () => void {
    const { questions: path, model } = this.draft;
    const { client } = this.#connection;
    if (path === "" || client === null) return this.questionsPreview.clear(), () => {};
    return this.questionsPreview.load((signal) =>
      client.data.previewQuestions({ path, model: model === "" ? null : model, limit: previewedQuestions }, { signal }),
    );
  }

  /** Inside an $effect. */
  lookAtRows(): () => void {
    const { data: path, model, template, length, overLong, split } = this.draft;
    const mapping = $state.snapshot(this.draft.mapping);
    const { client } = this.#connection;
    void this.#counts;
    if (path === "" || model === "" || client === null || !(length >= 8)) return this.rows.clear(), () => {};
    return this.rows.load((signal) => client.data.previewRows({ path, model, mapping, split, template, length, overLong, limit: previewedRows }, { signal }));
  }

  /** Inside an $effect: the memory of training, once the rows are counted and nothing is wrong. */
  estimateMemory(): () => void {
    const { client } = this.#connection;
    const { model, method, rank, data, split, template, length, overLong, batch, accumulate, recomputed, memoryGb, seed, validation } = this.draft;
    const settings = { model, method, rank, data, split, template, length, overLong, batch, accumulate, recomputed, memoryBytes: bytesOf(memoryGb), seed, validation: validationOf(validation), retention: this.#retention(), ...this.#duration() };
    const mapping = $state.snapshot(this.draft.mapping);
    if (client === null || !this.rows.isCounted || this.rows.trouble !== null || this.#wrongCount > 0) return () => {};
    return this.memory.load((signal) => client.runs.estimate({ ...settings, mapping }, { signal }));
  }

  /** Settings that the estimate says would fit. */
  takeProposal({ batch, accumulate, length }: MemoryProposal): void {
    Object.assign(this.draft, { batch, accumulate, length });
  }

  /** Another method brings its own learning rate, unless one was chosen by hand. */
  chooseMethod(method: NonNullable<RunStartInput["method"]>): void {
    const { draft } = this;
    if (draft.learningRate === defaultLearningRates[draft.method ?? defaults.method]) draft.learningRate = defaultLearningRates[method];
    draft.method = method;
  }

  /** Another file has columns of its own. */
  chooseData(path: string): void {
    if (path !== this.draft.data) Object.assign(this.draft, { data: path, mapping: null, split: null });
  }

  /** Null: as they are detected. */
  chooseMapping(mapping: ColumnMapping | null): void {
    this.draft.mapping = mapping;
  }

  chooseSplit(name: string): void {
    Object.assign(this.draft, { split: name, mapping: null });
  }

  countAgain(): void {
    this.#counts += 1;
  }

  /** Inside an $effect: keeps the draft in this browser. */
  keep(): void {
    const draft = $state.snapshot(this.draft);
    if (this.#isFilled) keepDraft(draft);
  }

  /** Back to the defaults and the samples, with the same model. */
  reset(): void {
    forgetDraft();
    Object.assign(this.draft, emptyDraft(), { model: this.draft.model });
    this.#fillSamples();
  }

  /** Starts the run and gives its id; null where it could not start, and `problem` says why. */
  async start(): Promise<number | null> {
    this.isStarting = true;
    this.problem = null;
    try {
      const { id } = await this.#connection.calls.runs.start(this.input);
      this.draft.name = "";
      return id;
    } catch (error) {
      this.problem = errorParts(error);
      return null;
    } finally {
      this.isStarting = false;
    }
  }

  #retention(): RunStartInput["retention"] {
    const { isOn, floorPercent, questions: _, ...rest } = this.draft.retention;
    return isOn ? { ...rest, questions: this.retentionQuestions, floor: floorPercent === null ? null : floorPercent / 100 } : null;
  }

  #duration(): { steps: number | null; epochs: number | null } {
    const { duration, steps, epochs } = this.draft;
    return { steps: duration === "steps" ? steps : null, epochs: duration === "epochs" ? epochs : null };
  }
}

function validationOf({ isOn, from, share, rows, data, ...rest }: ValidationDraft): RunStartInput["validation"] {
  if (!isOn) return null;
  return { ...rest, share: from === "share" ? share : null, rows: from === "rows" ? rows : null, data: from === "data" ? data : null };
}

function retentionDraft(empty: RetentionDraft, last: NonNullable<AppSettings["lastRun"]>["retention"]): RetentionDraft {
  if (last === null) return { ...empty, isOn: false };
  const { questions, floor, ...rest } = last;
  return { ...empty, ...rest, isOn: true, questions: questions ?? "", floorPercent: floor === null ? null : Math.round(10_000 * floor) / 100 };
}

/** As the trainer parts them: at least one row. */
function heldOutRows({ isOn, from, share, rows }: ValidationDraft, kept: number): number {
  if (!isOn || from === "data") return 0;
  return Math.min(kept, from === "rows" ? (rows ?? 0) : Math.max(1, Math.round((share ?? 0) * kept)));
}

function validationDraft(empty: ValidationDraft, { data, rows, share, ...rest }: NonNullable<NonNullable<AppSettings["lastRun"]>["validation"]>): ValidationDraft {
  const from = data !== null ? "data" : rows !== null ? "rows" : "share";
  return { ...empty, ...rest, isOn: true, from, data: data ?? "", rows: rows ?? empty.rows, share: share ?? empty.share };
}

function bytesOf(gigabytes: number | null): number | null {
  return gigabytes === null ? null : Math.round(gigabytes * 1e9);
}
