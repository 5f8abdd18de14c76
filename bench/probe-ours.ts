// Our side of the probing benchmark, alone in its process: the engine's probe job, base alone and base + tuned in turns,
// and the same over long answers, where a step is short and reading the frozen weights once for both models shows.
// The job is run as it is; around the answerer lies a clock that tells answering from reading, encoding and judging.

import type { JobEvent } from "../main/engine/events.ts";
import type { ProbeJob } from "../main/engine/answer-jobs.ts";
import { runProbe } from "../main/engine/jobs/probe.ts";
import { warmAnswerer } from "../main/engine/jobs/warm-answerer.ts";
import type { Answerer } from "../native-models/answering/answerer.ts";
import { measureAlone, secondsOf } from "./child.ts";

export interface OurProbing {
  model: string;
  /** PEFT folder for the turns with a tuned model. */
  adapter: string;
  questions: string;
  shotsFrom: string;
  shots: number;
  limit: number;
  batch: number;
  newTokens: number;
  turns: readonly ("base" | "both")[];
  /** Word problems answered at length, so many at once; null: left out. */
  long: { questions: string; atOnce: readonly number[]; newTokens: number } | null;
}

export interface ProbeTurn {
  turn: "base" | "both";
  questions: number;
  /** Prompts and answers, and the log-likelihoods, which come out of the same runs. */
  generateSeconds: number;
  /** All of the job with the model loaded: reading, encoding, answers, log-likelihoods, judging. */
  wholeSeconds: number;
  cpuSeconds: number;
  exactMatch: number;
}

export interface ProbeFigures {
  loadSeconds: number;
  turns: ProbeTurn[];
  long: LongTurn[];
  /** Of the base, in the order of the questions. */
  answers: { index: number; prompt: string; answer: string; isExact: boolean }[];
  peakBytes: number;
}

/** Generating alone, as many questions as are answered at once. */
export interface LongTurn {
  atOnce: number;
  baseSeconds: number;
  bothSeconds: number;
}

interface Clock {
  generateMs: number;
}

async function measure(settings: OurProbing): Promise<ProbeFigures> {
  const { model, adapter, turns, long, ...rest } = settings;
  const began = performance.now();
  const warm = await warmAnswerer(model);
  const loadSeconds = (performance.now() - began) / 1000;
  const clock: Clock = { generateMs: 0 };
  warm.answerer = clocked(warm.answerer, clock);

  const answers: ProbeFigures["answers"] = [];
  const done: ProbeTurn[] = [];
  for (const turn of turns) {
    const { batch, newTokens, questions, shots, shotsFrom, limit } = rest;
    const job: ProbeJob = {
      kind: "probe", model, adapter: turn === "both" ? adapter : null, questions, shots, shotsFrom, limit, batch,
      maxNewTokens: newTokens, style: "knowledge", template: "chat",
    };
    clock.generateMs = 0;
    const isFirst = answers.length === 0;
    const keep = (event: JobEvent): void => {
      if (event.type === "answer" && event.subject === "base" && isFirst) answers.push({ index: event.index, prompt: event.prompt, answer: event.answer, isExact: event.isExact });
    };
    const started = performance.now();
    const cpuBefore = process.cpuUsage();
    const result = await runProbe(job, keep, new AbortController().signal);
    const cpuSeconds = secondsOf(process.cpuUsage(cpuBefore));
    done.push({
      turn,
      questions: result.base.questions,
      generateSeconds: clock.generateMs / 1000,
      wholeSeconds: (performance.now() - started) / 1000,
      cpuSeconds,
      exactMatch: result.base.exactMatch,
    });
    console.error(`${turn}: ${result.base.questions} questions in ${(clock.generateMs / 1000).toFixed(1)} s`);
  }
  const longTurns: LongTurn[] = [];
  for (const atOnce of long?.atOnce ?? []) {
    const seconds = async (withAdapter: boolean): Promise<number> => {
      clock.generateMs = 0;
      const job: ProbeJob = {
        kind: "probe", model, adapter: withAdapter ? adapter : null, questions: long!.questions, shots: 0, shotsFrom: null, limit: atOnce, batch: atOnce,
        maxNewTokens: long!.newTokens, style: "task", template: "chat",
      };
      await runProbe(job, () => {}, new AbortController().signal);
      return clock.generateMs / 1000;
    };
    const [baseSeconds, bothSeconds] = [await seconds(false), await seconds(true)];
    longTurns.push({ atOnce, baseSeconds, bothSeconds });
    console.error(`answers of ${long!.newTokens} tokens, ${atOnce} at once: base ${baseSeconds.toFixed(1)} s, both ${bothSeconds.toFixed(1)} s`);
  }
  answers.sort((a, b) => a.index - b.index); // they come as they are done
  return { loadSeconds, turns: done, long: longTurns, answers, peakBytes: process.resourceUsage().maxRSS * 1024 };
}

function clocked(answerer: Answerer, clock: Clock): Answerer {
  return {
    ...answerer,
    async answerAll(...args) {
      const started = performance.now();
      const answered = await answerer.answerAll(...args);
      clock.generateMs += performance.now() - started;
      return answered;
    },
  };
}

if (import.meta.main) await measureAlone(measure);
