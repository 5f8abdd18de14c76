// Every answer of a probe is a row: prompt, raw text and how it was scored.

import { fromJson } from "./rows.ts";
import type { Sql } from "./open.ts";

export interface AnswerRow {
  index: number;
  subject: "base" | "tuned";
  question: string;
  accepted: string[];
  prompt: string;
  answer: string;
  isExact: boolean;
  isContained: boolean;
  /** NaN where none was taken. */
  logLikelihoodNats: number;
  /** Further measures by name. */
  measures: Record<string, number>;
  /** What the judge said. */
  verdict: string | null;
}

interface RawAnswer {
  position: number;
  subject: "base" | "tuned";
  question: string;
  accepted: string;
  prompt: string;
  answer: string;
  isExact: number;
  isContained: number;
  logLikelihoodNats: number | null;
  measures: string | null;
  verdict: string | null;
}

const columns = `position, subject, question, accepted, prompt, answer, is_exact AS isExact,
  is_contained AS isContained, log_likelihood_nats AS logLikelihoodNats, measures, verdict`;

// Positions of the questions to show, by what the tuned model did to the base model's answer.
const positions = {
  all: "SELECT DISTINCT position FROM probe_answers WHERE probe_id = @id",
  lost: flips(1, 0),
  gained: flips(0, 1),
};

function flips(base: 0 | 1, tuned: 0 | 1): string {
  return `SELECT b.position FROM probe_answers b JOIN probe_answers t
    ON t.probe_id = b.probe_id AND t.position = b.position AND t.subject = 'tuned' AND t.is_exact = ${tuned}
    WHERE b.probe_id = @id AND b.subject = 'base' AND b.is_exact = ${base}`;
}

export function probeAnswersTable(sql: Sql) {
  const put = sql.prepare<[object]>(`
    INSERT OR REPLACE INTO probe_answers (probe_id, position, subject, question, accepted, prompt, answer, is_exact, is_contained, log_likelihood_nats, measures, verdict)
    VALUES (@probeId, @position, @subject, @question, @accepted, @prompt, @answer, @isExact, @isContained, @logLikelihoodNats, @measures, @verdict)`);
  const page = (only: keyof typeof positions) =>
    sql.prepare<[{ id: number; limit: number; offset: number }], RawAnswer>(`
      SELECT ${columns} FROM probe_answers WHERE probe_id = @id AND position IN (
        ${positions[only]} ORDER BY 1 LIMIT @limit OFFSET @offset) ORDER BY position, subject`);
  const pages = { all: page("all"), lost: page("lost"), gained: page("gained") };
  const after = sql.prepare<[number, number], RawAnswer & { rowid: number }>(
    `SELECT rowid, ${columns} FROM probe_answers WHERE probe_id = ? AND rowid > ? ORDER BY rowid`,
  );
  const copy = sql.prepare<[number, number]>(`
    INSERT INTO probe_answers SELECT ?, position, subject, question, accepted, prompt, answer, is_exact, is_contained,
      log_likelihood_nats, measures, verdict FROM probe_answers WHERE probe_id = ? ORDER BY rowid`);
  return {
    putAll: sql.transaction((probeId: number, answers: readonly AnswerRow[]) =>
      answers.forEach((answer) =>
        put.run({
          ...answer,
          probeId,
          position: answer.index,
          accepted: JSON.stringify(answer.accepted),
          isExact: Number(answer.isExact),
          isContained: Number(answer.isContained),
          logLikelihoodNats: Number.isNaN(answer.logLikelihoodNats) ? null : answer.logLikelihoodNats,
          measures: Object.keys(answer.measures).length === 0 ? null : JSON.stringify(answer.measures),
        }),
      ),
    ),
    /** Answers to one page of questions; base before tuned. */
    page: (probeId: number, only: keyof typeof positions, offset: number, limit: number) =>
      pages[only].all({ id: probeId, offset, limit }).map(read),
    /** Answers written after `cursor`, in the order they came, for followers. */
    after: (probeId: number, cursor: number): { answers: AnswerRow[]; cursor: number } => {
      const rows = after.all(probeId, cursor);
      return { answers: rows.map(read), cursor: rows.at(-1)?.rowid ?? cursor };
    },
    copy: (fromProbe: number, toProbe: number) => void copy.run(toProbe, fromProbe),
  };
}

function read(row: RawAnswer): AnswerRow {
  return {
    index: row.position,
    subject: row.subject,
    question: row.question,
    accepted: fromJson<string[]>(row.accepted, "probe_answers.accepted") ?? [],
    prompt: row.prompt,
    answer: row.answer,
    isExact: row.isExact === 1,
    isContained: row.isContained === 1,
    logLikelihoodNats: row.logLikelihoodNats ?? NaN,
    measures: fromJson<Record<string, number>>(row.measures, "probe_answers.measures") ?? {},
    verdict: row.verdict,
  };
}
