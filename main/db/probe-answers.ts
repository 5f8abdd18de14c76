// Every answer of a probe is a row: prompt, raw text and how it was scored.

import type { ProbeAnswer } from "../engine/events.ts";
import { fromJson } from "./rows.ts";
import type { Sql } from "./open.ts";

export type AnswerRow = ProbeAnswer;

export type AnswerMark = Pick<AnswerRow, "index" | "subject" | "isExact" | "isContained" | "logLikelihoodNats">;

/** What the tuned model did to the base's answer; of a base alone: kept is right, wrong is wrong. */
export type Flip = "lost" | "gained" | "kept" | "wrong";
export type AnswerFilter = "all" | Flip;
/** file: as they were asked; fell and rose: by the change of likelihood, the largest fall or rise first. */
export type AnswerOrder = "file" | "fell" | "rose";

export interface AnswerChoice {
  only: AnswerFilter;
  /** Part of the question, the accepted answers or either answer; "": all. */
  search: string;
  order: AnswerOrder;
}

type Column = "subject" | "question" | "prompt" | "answer" | "verdict";

interface RawAnswer extends Pick<AnswerRow, Column> {
  position: number;
  accepted: string;
  isExact: number;
  isContained: number;
  logLikelihoodNats: number | null;
  measures: string | null;
}

const columns = `position, subject, question, accepted, prompt, answer, is_exact AS isExact,
  is_contained AS isContained, log_likelihood_nats AS logLikelihoodNats, measures, verdict`;

const pairsOf = `
  WITH pairs AS (
    SELECT b.position AS position, t.log_likelihood_nats - b.log_likelihood_nats AS change,
      CASE WHEN b.is_exact = coalesce(t.is_exact, b.is_exact) THEN iif(b.is_exact, 'kept', 'wrong') ELSE iif(b.is_exact, 'lost', 'gained') END AS flip
    FROM probe_answers b LEFT JOIN probe_answers t ON t.probe_id = b.probe_id AND t.position = b.position AND t.subject = 'tuned'
    WHERE b.probe_id = @id AND b.subject = 'base' AND (@search = '' OR b.question LIKE @like ESCAPE '\\' OR b.accepted LIKE @like ESCAPE '\\'
      OR b.answer LIKE @like ESCAPE '\\' OR t.answer LIKE @like ESCAPE '\\')
  )`;

const orders: Record<AnswerOrder, string> = { file: "position", fell: "change IS NULL, change, position", rose: "change IS NULL, change DESC, position" };

function searchFor(search: string): { search: string; like: string } {
  return { search, like: `%${search.replace(/[\\%_]/g, "\\$&")}%` };
}

/** Prepares each statement once, when it is first needed. */
function cached<A extends string, B extends string, S>(prepare: (a: A, b: B) => S): (a: A, b: B) => S {
  const known = new Map<string, S>();
  return (a, b) => {
    const key = `${a} ${b}`;
    const statement = known.get(key) ?? prepare(a, b);
    known.set(key, statement);
    return statement;
  };
}

export function probeAnswersTable(sql: Sql) {
  const put = sql.prepare<[object]>(`
    INSERT OR REPLACE INTO probe_answers (probe_id, position, subject, question, accepted, prompt, answer, is_exact, is_contained, log_likelihood_nats, measures, verdict)
    VALUES (@probeId, @position, @subject, @question, @accepted, @prompt, @answer, @isExact, @isContained, @logLikelihoodNats, @measures, @verdict)`);
  const allMarks = sql.prepare<[number], Pick<AnswerRow, "index" | "subject"> & Pick<RawAnswer, "isExact" | "isContained"> & { nats: number | null }>(`
    SELECT position AS "index", subject, is_exact AS isExact, is_contained AS isContained, log_likelihood_nats AS nats
    FROM probe_answers WHERE probe_id = ? ORDER BY position, subject`);
  const pageOf = cached((only: AnswerFilter, order: AnswerOrder) =>
    sql.prepare<[object], { position: number }>(`${pairsOf} SELECT position FROM pairs WHERE ${only === "all" ? "true" : `flip = '${only}'`} ORDER BY ${orders[order]} LIMIT @limit OFFSET @offset`),
  );
  const atPositions = sql.prepare<[number, string], RawAnswer>(`SELECT ${columns} FROM probe_answers WHERE probe_id = ? AND position IN (SELECT value FROM json_each(?)) ORDER BY position, subject`);
  const counts = sql.prepare<[object], { flip: Flip; count: number }>(`${pairsOf} SELECT flip, count(*) AS count FROM pairs GROUP BY flip`);
  const after = sql.prepare<[number, number], RawAnswer & { rowid: number }>(
    `SELECT rowid, ${columns} FROM probe_answers WHERE probe_id = ? AND rowid > ? ORDER BY rowid`,
  );
  const ofSubject = sql.prepare<[number, AnswerRow["subject"]], RawAnswer>(`SELECT ${columns} FROM probe_answers WHERE probe_id = ? AND subject = ? ORDER BY position`);
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
    /** Answers to one page of questions, in the order asked for; base before tuned. */
    page(probeId: number, { only, search, order, offset, limit }: AnswerChoice & { offset: number; limit: number }): AnswerRow[] {
      const positions = pageOf(only, order).all({ id: probeId, ...searchFor(search), offset, limit }).map(({ position }) => position);
      const place = new Map(positions.map((position, i) => [position, i]));
      const rows = atPositions.all(probeId, JSON.stringify(positions)); // base before tuned, which sorting keeps
      return rows.sort((a, b) => place.get(a.position)! - place.get(b.position)!).map(read);
    },
    /** Questions of each kind that a search finds. */
    count(probeId: number, search: string): Record<Flip, number> {
      const found = counts.all({ id: probeId, ...searchFor(search) });
      const of = (flip: Flip): number => found.find((row) => row.flip === flip)?.count ?? 0;
      return { lost: of("lost"), gained: of("gained"), kept: of("kept"), wrong: of("wrong") };
    },
    /** What scores are worked out from. */
    marks: (probeId: number): AnswerMark[] =>
      allMarks.all(probeId).map(({ index, subject, isExact, isContained, nats }) => ({ index, subject, isExact: isExact === 1, isContained: isContained === 1, logLikelihoodNats: nats ?? NaN })),
    /** Answers written after `cursor`, in the order they came, for followers. */
    after: (probeId: number, cursor: number): { answers: AnswerRow[]; cursor: number } => {
      const rows = after.all(probeId, cursor);
      return { answers: rows.map(read), cursor: rows.at(-1)?.rowid ?? cursor };
    },
    ofBase: (probeId: number): AnswerRow[] => ofSubject.all(probeId, "base").map(read),
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
