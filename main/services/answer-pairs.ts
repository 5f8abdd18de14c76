// The answers of a probe, question by question: to page through, to count, and to write into a file of one's own.

import type { AnswerRow } from "../db/probe-answers.ts";
import type { Store } from "../db/store.ts";
import type { AnswersExport, AnswersQuery } from "./params/probes.ts";
import type { AnswerCounts, AnswerPair } from "./shapes/probes.ts";

/** Questions read at once for a file. */
const pageSize = 500;

export function answerPairs({ probeAnswers }: Pick<Store, "probeAnswers">) {
  return {
    page: ({ id, ...choice }: AnswersQuery): AnswerPair[] => pairsOf(probeAnswers.page(id, choice)),

    count(id: number, search: string): AnswerCounts {
      const flips = probeAnswers.count(id, search);
      return { ...flips, all: flips.lost + flips.gained + flips.kept + flips.wrong };
    },

    /** The text of the file, in parts. */
    *export({ id, format, ...choice }: AnswersExport): Generator<string> {
      if (format === "csv") yield csvLine(columns.map(([name]) => name));
      for (let offset = 0; ; offset += pageSize) {
        const page = pairsOf(probeAnswers.page(id, { ...choice, offset, limit: pageSize }));
        if (page.length > 0) yield page.map(format === "csv" ? csvRow : jsonLine).join("");
        if (page.length < pageSize) return;
      }
    },
  };
}

/** Rows question by question, base before tuned. */
function pairsOf(rows: readonly AnswerRow[]): AnswerPair[] {
  const pairs: AnswerPair[] = [];
  for (const row of rows) {
    const { index, question, accepted, prompt } = row;
    if (pairs.at(-1)?.index !== index) pairs.push({ index, question, accepted, prompt, base: null, tuned: null, flip: "wrong", changeNats: null });
    pairs.at(-1)![row.subject] = row;
  }
  for (const pair of pairs) {
    const [base, tuned] = [pair.base?.isExact ?? false, pair.tuned?.isExact ?? pair.base?.isExact ?? false];
    pair.flip = base === tuned ? (base ? "kept" : "wrong") : base ? "lost" : "gained";
    const change = (pair.tuned?.logLikelihoodNats ?? NaN) - (pair.base?.logLikelihoodNats ?? NaN);
    pair.changeNats = Number.isNaN(change) ? null : change;
  }
  return pairs;
}

type Subject = "base" | "tuned";
const ofBoth = (name: string, read: (answer: AnswerRow) => unknown): [string, (pair: AnswerPair) => unknown][] =>
  (["base", "tuned"] as Subject[]).map((subject) => [`${subject}_${name}`, (pair) => pair[subject] && read(pair[subject])]);

const columns: [name: string, read: (pair: AnswerPair) => unknown][] = [
  ["row", ({ index }) => index + 1],
  ["question", ({ question }) => question],
  ["accepted", ({ accepted }) => accepted.join(" | ")],
  ["change", ({ flip }) => flip],
  ...ofBoth("answer", ({ answer }) => answer),
  ...ofBoth("right", ({ isExact }) => Number(isExact)),
  ...ofBoth("contains", ({ isContained }) => Number(isContained)),
  ...ofBoth("nats_per_token", ({ logLikelihoodNats }) => orNull(logLikelihoodNats)),
  ["change_nats_per_token", ({ changeNats }) => changeNats],
  ...ofBoth("verdict", ({ verdict }) => verdict),
  ["prompt", ({ prompt }) => prompt],
];

function csvRow(pair: AnswerPair): string {
  return csvLine(columns.map(([, read]) => read(pair)));
}

/** RFC 4180. */
function csvLine(cells: readonly unknown[]): string {
  const cell = (value: unknown): string => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return `${cells.map(cell).join(",")}\r\n`;
}

function jsonLine({ index, question, accepted, flip, changeNats, prompt, base, tuned }: AnswerPair): string {
  const answer = (given: AnswerRow | null) =>
    given && { answer: given.answer, right: given.isExact, contains: given.isContained, natsPerToken: orNull(given.logLikelihoodNats), measures: given.measures, verdict: given.verdict };
  return `${JSON.stringify({ row: index + 1, question, accepted, change: flip, changeNatsPerToken: changeNats, base: answer(base), tuned: answer(tuned), prompt })}\n`;
}

function orNull(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
