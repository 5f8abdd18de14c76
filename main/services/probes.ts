// Probes: questions asked of the base and the tuned model. Every answer is a row, written in batches as it comes; the
// same work within runs is found again and its rows are copied, and the base is asked once for all its runs.

import { setImmediate as yieldToOthers } from "node:timers/promises";
import type { AnswerRow } from "../db/probe-answers.ts";
import { UserError } from "../../native-models/errors.ts";
import type { Emit, ProgressEvent } from "../engine/events.ts";
import type { ProbeJob } from "../engine/answer-jobs.ts";
import type { ProbeResult } from "../engine/job-results.ts";
import { answerPairs } from "./answer-pairs.ts";
import { baseAnswers, sourceOf, type KnownAnswers } from "./base-answers.ts";
import type { Deps } from "./deps.ts";
import { JobCancelled, JobFailure, resultOrThrow, storedError } from "./job-failure.ts";
import type { AnswersExport, AnswersQuery, ProbeStart } from "./params/probes.ts";
import { absolute, requireThere } from "./paths.ts";
import { askingOf, unusualAsking } from "./probe-asking.ts";
import { probeSummary } from "./run-views.ts";
import type { AnswerCounts, AnswerPair, BaseSource, ProbeEvent, ProbeSummary } from "./shapes/probes.ts";
import { contentHash, stageKey } from "./stage-keys.ts";
import type { Stages } from "./stages.ts";
import type { Subjects } from "./subjects.ts";
import { templateOfAdapters } from "./template.ts";
import { weightSettings } from "./weights.ts";

const batchMs = 250;

/** Of the whole probe, and of what it asks the base. */
interface Keys {
  key: string;
  baseKey: string;
}

export type Probes = ReturnType<typeof probesService>;

export function probesService(deps: Deps, stages: Stages, subjects: Subjects) {
  const { store, engine, changes, membership, now, log, home } = deps;
  const browse = answerPairs(store);
  const ofBase = baseAnswers(deps, stages);
  const working = new Map<number, AbortController>();
  const asking = new Set<Promise<void>>();
  let lastInLine: Promise<void> = Promise.resolve(); // one probe at a time: each would load the model anew

  membership.onTick(() => {
    for (const id of store.probes.cancelWanted(membership.owner())) working.get(id)?.abort();
  });
  membership.onLost(() => working.forEach((controller) => controller.abort()));

  function jobOf(params: ProbeStart): ProbeJob {
    const model = absolute(params.model);
    const adapter = params.adapter === null ? null : absolute(params.adapter);
    const questions = absolute(params.questions);
    const shotsFrom = (params.shotsFrom ?? null) === null ? null : absolute(params.shotsFrom!); // configs of older runs have none
    requireThere(questions, "probe: questions");
    if (shotsFrom !== null) requireThere(shotsFrom, "probe: shotsFrom");
    if (adapter !== null) requireThere(adapter, "probe: adapter");
    stages.describe(model);
    const { limit, batch, style } = params;
    const { template, chatTemplate } = templateOfAdapters(deps.readers, model, adapter === null ? [] : [adapter], params.template);
    return { kind: "probe", model, adapter, questions, ...askingOf(params), shotsFrom, limit, batch, style, template, chatTemplate, ...(params.width !== "float32" && { weights: weightSettings(home, params.width) }) };
  }

  async function keysOf(job: ProbeJob): Promise<Keys> {
    const files = { questions: await contentHash(job.questions, "probe: questions"), shotsFrom: job.shotsFrom ? await contentHash(job.shotsFrom, "probe: shotsFrom") : null };
    const adapter = job.adapter === null ? null : await contentHash(job.adapter, "probe: adapter");
    return { key: keyOf(job, { ...files, adapter }), baseKey: await ofBase.key(job, files) };
  }

  function keyOf(job: ProbeJob, { questions, shotsFrom, adapter }: Record<"questions" | "shotsFrom" | "adapter", string | null>): string {
    const { shots, limit, maxNewTokens, style, template, chatTemplate, mapping, split } = job;
    const asking = unusualAsking(job);
    return stageKey("probe", {
      model: stages.fingerprintOf(job.model),
      adapter,
      questions,
      ...(shotsFrom && { shotsFrom }),
      // Absent where they are not needed, so that probes of before are found again.
      ...(job.weights && { width: job.weights.width }),
      ...((style === "task" || job.wording === "template") && chatTemplate && { chatTemplate }),
      ...((mapping || split) && { reading: JSON.stringify({ mapping, split }) }),
      ...(asking && { asking }),
      shots, limit, maxNewTokens, style, template,
    });
  }

  /** Makes the row, then asks; the row ends as done, failed or cancelled whatever happens. */
  async function ask(job: ProbeJob, row: { id: number; known: () => KnownAnswers | null }, { signal, onProgress }: { signal: AbortSignal; onProgress?: Emit }): Promise<ProbeResult> {
    const owner = membership.owner();
    let answers: AnswerRow[] = [];
    let progress: ProgressEvent | null = null;
    const known = row.known();
    const before = store.probes.find(row.id)!.baseFrom as BaseSource | null; // of an earlier try
    let taken = before?.answers ?? 0;
    let timer: NodeJS.Timeout | null = null;
    const flush = () => {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      if (answers.length === 0 && progress === null) return;
      store.together(() => {
        if (store.probes.find(row.id)?.owner !== owner) return;
        store.probeAnswers.putAll(row.id, answers);
        if (known !== null && taken > 0) store.probes.setBaseFrom(row.id, { ...known.from, answers: taken } satisfies BaseSource);
        if (progress !== null) store.probes.setProgress(row.id, owner, progress);
      });
      answers = [];
      progress = null;
      changes.touch();
    };
    const emit: Emit = (event) => {
      if (event.type === "answer") {
        const { type: _, isKnown, ...answer } = event;
        answers.push(answer);
        if (isKnown) taken += 1;
      } else if (event.type === "progress") {
        progress = event;
      }
      if (event.type === "progress" || event.type === "warning") onProgress?.(event);
      timer ??= setTimeout(flush, batchMs);
    };
    const end = (status: "done" | "failed" | "cancelled", result: ProbeResult | null, error: unknown) => {
      flush();
      store.probes.end(row.id, owner, { status, result, error }, now());
      changes.touch();
    };
    try {
      const { answers: answered } = store.probeAnswers.after(row.id, 0); // of an earlier try
      const result = resultOrThrow(await engine.run({ ...job, answered, ...(known && { known: known.answers }) }, { emit, signal }));
      end("done", result, null);
      return result;
    } catch (error) {
      if (error instanceof JobCancelled) end("cancelled", null, null);
      else end("failed", null, storedError(error));
      throw error;
    }
  }

  function insert(params: ProbeStart, job: ProbeJob, keys: Keys, runId: number | null): number {
    const config: ProbeStart = { ...params, ...jobSettings(job) };
    const id = store.probes.insert({ runId, ...keys, style: job.style, config, owner: membership.owner(), createdMs: now() });
    changes.touch();
    return id;
  }

  /** The answers of the newest stopped probe of the same settings become this one's: they are not asked again. */
  function takeStopped(key: string, id: number): void {
    const stopped = store.probes.findStopped(key);
    if (stopped === null) return;
    store.probeAnswers.copy(stopped, id);
    store.probes.setBaseFrom(id, store.probes.find(stopped)!.baseFrom);
  }

  /** The base's answers, looked up when the probe's turn has come: the one before it may have asked. */
  const knownFor = ({ fresh }: ProbeStart, { baseKey }: Keys, id: number) => (): KnownAnswers | null => (fresh ? null : ofBase.find(baseKey, id));

  /** A run's probe: found again where the same was done before, else asked. */
  async function withinRun(params: ProbeStart, runId: number, working: { signal: AbortSignal; emit: Emit }): Promise<{ result: ProbeResult; isReused: boolean }> {
    const job = jobOf(params);
    const keys = await keysOf(job);
    const found = store.probes.findDone(keys.key, runId);
    const before = params.fresh && found?.runId !== runId ? null : found;
    if (before?.runId === runId) {
      store.probes.removeOthers(runId, job.style, before.id); // the run was resumed after its probe was done
      return { result: before.result as ProbeResult, isReused: true };
    }
    const id = insert(params, job, keys, runId);
    if (before === null && !params.fresh) takeStopped(keys.key, id);
    store.probes.removeOthers(runId, job.style, id);
    if (before !== null) {
      const result = before.result as ProbeResult;
      store.together(() => {
        store.probeAnswers.copy(before.id, id);
        store.probes.setBaseFrom(id, { ...sourceOf(before), answers: result.base.questions } satisfies BaseSource);
        store.probes.end(id, membership.owner(), { status: "done", result, error: null }, now());
      });
      return { result, isReused: true };
    }
    const result = await ask(job, { id, known: knownFor(params, keys, id) }, { signal: working.signal, onProgress: working.emit });
    return { result, isReused: false };
  }

  function mustFind(id: number) {
    const row = store.probes.find(id);
    if (row === null) throw new UserError({ what: `There is no probe ${id}.`, where: "probe: id", fix: "probe.list shows those that are there." });
    return row;
  }

  return {
    withinRun,

    async start({ run, ...asked }: ProbeStart): Promise<{ id: number }> {
      const params = run === undefined ? asked : { ...asked, adapter: subjects.adapterOf(run, absolute(asked.model)) };
      const job = jobOf(params);
      const keys = await keysOf(job);
      const id = insert(params, job, keys, null);
      if (params.continueStopped) takeStopped(keys.key, id);
      const controller = new AbortController();
      working.set(id, controller);
      const ended = lastInLine
        .then(() => ask(job, { id, known: knownFor(params, keys, id) }, { signal: controller.signal }))
        .then(() => {})
        .catch((error: unknown) => {
          if (error instanceof JobFailure && error.parts.isBug) log(`probe ${id}: ${error.stack}\n`); // the row holds it
        })
        .finally(() => {
          working.delete(id);
          asking.delete(ended);
        });
      asking.add(ended);
      lastInLine = ended;
      return { id };
    },

    list: (limit: number): ProbeSummary[] => store.probes.newest(limit).map((row) => probeSummary(store, row)),

    async *follow(id: number, signal?: AbortSignal): AsyncGenerator<ProbeEvent> {
      mustFind(id);
      let cursor = 0;
      let shown = "";
      for await (const _ of changes.follow(signal)) {
        const probe = probeSummary(store, mustFind(id));
        const isOver = probe.status !== "queued" && probe.status !== "running";
        const now = JSON.stringify(probe);
        if (now !== shown && !isOver) yield { type: "probe", probe };
        shown = now;
        const next = store.probeAnswers.after(id, cursor);
        cursor = next.cursor;
        if (next.answers.length > 0) yield { type: "answers", answers: next.answers };
        if (isOver) {
          yield { type: "ended", probe };
          return;
        }
      }
    },

    answers(query: AnswersQuery): AnswerPair[] {
      mustFind(query.id);
      return browse.page(query);
    },

    countAnswers({ id, search }: { id: number; search: string }): AnswerCounts {
      mustFind(id);
      return browse.count(id, search);
    },

    async *exportAnswers(params: AnswersExport, signal?: AbortSignal): AsyncGenerator<string> {
      mustFind(params.id);
      for (const part of browse.export(params)) {
        signal?.throwIfAborted();
        yield part;
        await yieldToOthers();
      }
    },

    /** Once no probe of this process is under way. */
    settled: async (): Promise<void> => void (await Promise.all(asking)),

    cancel(id: number): void {
      mustFind(id);
      store.probes.requestCancel(id);
      working.get(id)?.abort();
      changes.touch();
    },
  };
}

function jobSettings({ kind: _, chatTemplate: __, ...settings }: ProbeJob) {
  return settings;
}
