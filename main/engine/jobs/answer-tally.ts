// Answers of a probe as they come, those of an earlier try among them, and what they come to.

import type { Emit, ProbeAnswer } from "../events.ts";
import type { ProbeResult, ProbeScore } from "../jobs.ts";

export type Subject = "base" | "tuned";

export interface AnswerTally {
  /** The answer that is there already, from an earlier try or this one. */
  find(index: number, subject: Subject): ProbeAnswer | undefined;
  /** A new answer, or one that now has its verdict. */
  put(answer: ProbeAnswer): void;
  all(): ProbeAnswer[];
  result(): Pick<ProbeResult, "base" | "tuned" | "lost" | "gained">;
}

export function answerTally(before: readonly ProbeAnswer[], hasTuned: boolean, emit: Emit): AnswerTally {
  const answers = new Map<string, ProbeAnswer>();
  const keyOf = (index: number, subject: Subject): string => `${subject} ${index}`;
  for (const answer of before) answers.set(keyOf(answer.index, answer.subject), answer);
  return {
    find: (index, subject) => answers.get(keyOf(index, subject)),
    put(answer) {
      answers.set(keyOf(answer.index, answer.subject), answer);
      emit({ type: "answer", ...answer });
    },
    all: () => [...answers.values()],
    result() {
      const all = [...answers.values()];
      const [base, tuned] = [all.filter(({ subject }) => subject === "base"), all.filter(({ subject }) => subject === "tuned")];
      const flips = (before: boolean, after: boolean): number =>
        base.filter(({ index, isExact }) => isExact === before && answers.get(keyOf(index, "tuned"))?.isExact === after).length;
      return { base: scoreOf(base), tuned: hasTuned ? scoreOf(tuned) : null, lost: flips(true, false), gained: flips(false, true) };
    },
  };
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
