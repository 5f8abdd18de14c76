// Votes of blind comparisons: one for each run that took part, and what they come to.

import { UserError } from "../../native-models/errors.ts";
import type { Store } from "../db/store.ts";
import type { Outcome, VoteCount, Ballot } from "../db/votes.ts";
import { mcnemarExact, wilsonInterval } from "../engine/statistics.ts";
import { mustFindTurn, turnView } from "./chat-views.ts";
import type { Deps } from "./deps.ts";
import type { Subject } from "./params/chats.ts";
import type { TurnView, VoteTally } from "./shapes/chats.ts";
import type { Verdict } from "../db/turns.ts";
import { stateOf } from "./subjects.ts";

/** Votes that a run's page lists; the tally counts all. */
const mostBallots = 100;

export function votesService({ store, changes, now }: Deps) {
  return {
    /** Judges a turn, once; from then on it says which model was where. */
    vote(turnId: number, verdict: Verdict): TurnView {
      const { chat, turn } = mustFindTurn(store, turnId);
      const where = `chats.vote: turn ${turnId}`;
      if (!chat.isBlind) throw new UserError({ what: "Only answers of a blind comparison are voted on.", where, fix: "Begin a blind conversation." });
      if (turn.answers.length === 0) throw new UserError({ what: "It has not been answered yet.", where, fix: "Wait for the answers." });
      store.together(() => {
        if (!store.turns.judge(turnId, verdict)) throw new UserError({ what: "It has been voted on already.", where, fix: "Ask again for another vote." });
        const [left, right] = turn.places.map((place) => (chat.subjects as Subject[])[place]!);
        countFor(left!, right!, verdict === "left" ? "won" : verdict === "right" ? "lost" : verdict);
        countFor(right!, left!, verdict === "right" ? "won" : verdict === "left" ? "lost" : verdict);
      });
      changes.touch();
      return turnView(chat, store.turns.find(turnId)!);

      function countFor(own: Subject, rival: Subject, outcome: Outcome): void {
        if (own.kind !== "run" || store.runs.find(own.runId) === null) return;
        store.votes.add({ turnId, runId: own.runId, own: stateOf(own), rival: rivalName(rival), outcome, votedMs: now() });
      }
    },

    tallies: (runId: number): VoteTally[] => talliesOf(store, runId),

    /** Forgets the votes of a run. */
    reset(runId: number): { forgotten: number } {
      const forgotten = store.votes.reset(runId);
      changes.touch();
      return { forgotten };
    },
  };
}

export function talliesOf(store: Store, runId: number): VoteTally[] {
  return store.votes.counts(runId).map(tallyOf);
}

export function ballotsOf(store: Store, runId: number): Ballot[] {
  return store.votes.newest(runId, mostBallots).map((ballot) => ({ ...ballot, own: ownName(ballot.own) }));
}

function tallyOf({ own, ...count }: VoteCount): VoteTally {
  const decided = count.won + count.lost;
  return {
    ...count,
    own: ownName(own),
    share: decided === 0 ? null : { value: count.won / decided, ...wilsonInterval(count.won, decided) },
    p: decided === 0 ? null : mcnemarExact(count.lost, count.won), // on decided pairs, McNemar's test is the sign test
  };
}

function ownName(own: string): string {
  return own === "adapter" ? "its adapter" : own;
}

function rivalName(rival: Subject): string {
  if (rival.kind === "base") return "the base";
  return rival.kind === "run" ? `run ${rival.runId}${rival.at === "adapter" ? "" : `, ${stateOf(rival)}`}` : rival.path;
}
