// Votes of blind comparisons, one row a run that took part. They stay when their conversation is deleted.

import type { Sql } from "./open.ts";

export type Outcome = "won" | "lost" | "tie" | "both-bad";

export interface VoteRow {
  turnId: number;
  runId: number;
  /** Which state of the run: "adapter", or a step. */
  own: string;
  /** What it was compared with: "base", or another run and its state. */
  rival: string;
  outcome: Outcome;
  votedMs: number;
}

export interface VoteCount {
  runId: number;
  own: string;
  rival: string;
  won: number;
  lost: number;
  ties: number;
  bothBad: number;
}

/** One vote on a run, and where it was cast; null once that conversation is deleted. */
export interface Ballot extends Pick<VoteRow, "own" | "rival" | "outcome" | "votedMs"> {
  chat: { id: number; title: string } | null;
  prompt: string | null;
}

type RawBallot = Omit<Ballot, "chat"> & { chatId: number | null; title: string | null };

export function votesTable(sql: Sql) {
  const insert = sql.prepare<[VoteRow]>(`
    INSERT INTO votes (turn_id, run_id, own, rival, outcome, voted_ms) VALUES (@turnId, @runId, @own, @rival, @outcome, @votedMs)`);
  const counts = sql.prepare<[number], VoteCount>(`
    SELECT run_id AS runId, own, rival, sum(outcome = 'won') AS won, sum(outcome = 'lost') AS lost, sum(outcome = 'tie') AS ties,
      sum(outcome = 'both-bad') AS bothBad
    FROM votes WHERE run_id = ? GROUP BY own, rival ORDER BY min(id)`);
  const newest = sql.prepare<[number, number], RawBallot>(`
    SELECT v.own, v.rival, v.outcome, v.voted_ms AS votedMs, t.prompt, c.id AS chatId, c.title
    FROM votes v LEFT JOIN turns t ON t.id = v.turn_id LEFT JOIN conversations c ON c.id = t.conversation_id
    WHERE v.run_id = ? ORDER BY v.id DESC LIMIT ?`);
  const reset = sql.prepare<[number]>("DELETE FROM votes WHERE run_id = ?");
  return {
    add: (vote: VoteRow) => void insert.run(vote),
    /** The last `limit` votes, newest first. */
    newest: (runId: number, limit: number): Ballot[] =>
      newest.all(runId, limit).map(({ chatId, title, ...vote }) => ({ ...vote, chat: chatId === null ? null : { id: chatId, title: title! } })),
    counts: (runId: number) => counts.all(runId),
    /** Number of votes forgotten. */
    reset: (runId: number) => reset.run(runId).changes,
  };
}
