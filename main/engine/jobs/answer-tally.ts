// Answers of a probe as they come, those of an earlier try and those that another probe has of the base among them, and
// what they come to.

import type { Emit, ProbeAnswer } from "../events.ts";
import type { ProbeJob } from "../answer-jobs.ts";
import type { ProbeResult, ProbeScore } from "../job-results.ts";

export type Subject = "base" | "tuned";

/** What makes two questions the same. */
export type Question = Pick<ProbeAnswer, "index" | "prompt" | "accepted">;

export interface AnswerTally {
  /** The answer that is there already, from an earlier try or this one. */
  find(index: number, subject: Subject): ProbeAnswer | undefined;
  /** Takes the base's answer from the other probe, if it has one to this question and none is there yet. */
  takeKnown(question: Question): void;
  /** A new answer, or one that now has its verdict. */
  put(answer: ProbeAnswer): void;
  all(): ProbeAnswer[];
  result(): Pick<ProbeResult, "base" | "tuned" | "lost" | "gained">;
}

export function answerTally({ adapter, answered = [], known = [] }: Pick<ProbeJob, "adapter" | "answered" | "known">, emit: Emit): AnswerTally {
  const answers = new Map<string, ProbeAnswer>();
  const keyOf = (index: number, subject: Subject): string => `${subject} ${index}`;
  for (const answer of answered) answers.set(keyOf(answer.index, answer.subject), answer);
  const ofBase = new Map(known.map((answer) => [answer.index, answer]));
  const add = (answer: ProbeAnswer, isKnown: boolean): void => {
    answers.set(keyOf(answer.index, answer.subject), answer);
    emit({ type: "answer", isKnown, ...answer });
  };
  return {
    find: (index, subject) => answers.get(keyOf(index, subject)),
    takeKnown(question) {
      const other = ofBase.get(question.index);
      if (other === undefined || answers.has(keyOf(question.index, "base")) || !isSame(question, other)) return;
      add(other, true);
    },
    put: (answer) => add(answer, false),
    all: () => [...answers.values()],
    result() {
      const all = [...answers.values()];
      const [base, tuned] = [all.filter(({ subject }) => subject === "base"), all.filter(({ subject }) => subject === "tuned")];
      const flips = (before: boolean, after: boolean): number =>
        base.filter(({ index, isExact }) => isExact === before && answers.get(keyOf(index, "tuned"))?.isExact === after).length;
      return { base: scoreOf(base), tuned: adapter === null ? null : scoreOf(tuned), lost: flips(true, false), gained: flips(false, true) };
    },
  };
}

function isSame(a: Question, b: Question): boolean {
  return a.prompt === b.prompt && a.accepted.length === b.accepted.length && a.accepted.every((answer, i) => answer === b.accepted[i]);
}

function scoreOf(answers: readonly ProbeAnswer[]): ProbeScore {
  const share = (count: number): number => (answers.length === 0 ? 0 : count / answers.length);
  return {
    questions: answers.length,
    exactMatch: share(answers.filter(({ isExact }) => isExact).length),
    contains: share(answers.filter(({ isContained }) => isContained).length),
    logLikelihoodNats: meanOf(answers.map(({ logLikelihoodNats }) => logLikelihoodNats).filter((value) => !Number.isNaN(value))),
    measures: meanMeasures(answers),
  };
}

/** Mean of every measure over the answers that have it. */
function meanMeasures(answers: readonly ProbeAnswer[]): Record<string, number> {
  const names = [...new Set(answers.flatMap(({ measures }) => Object.keys(measures)))];
  return Object.fromEntries(names.map((name) => [name, meanOf(answers.flatMap(({ measures }) => (Object.hasOwn(measures, name) ? [measures[name]] : [])))!]));
}

function meanOf(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}
