// The judging half of an instruction-following probe: every answer rated by a local model or by one behind an address.
// In: answers of probe-turns.ts. Out: the same answers with rating and the judge's words. Those that have a verdict from an
// earlier try keep it.

import { encodePrompt, renderPrompt } from "../../../native-models/data/prompt.ts";
import { UserError } from "../../../native-models/errors.ts";
import { chatEndpoint } from "../../../native-models/probe/chat-endpoint.ts";
import { goodRating, judgeMessages, readRating, type JudgedTurn } from "../../../native-models/probe/mt-judge.ts";
import type { ProbeAnswer } from "../events.ts";
import type { JudgeSettings } from "../answer-jobs.ts";
import type { Asking } from "./probe.ts";
import { answerIndex, type TurnQuestion } from "./probe-turns.ts";
import { trackProgress } from "./progress.ts";
import { warmAnswerer } from "./warm-answerer.ts";

/** Judges in any order; `onVerdict` gets each as it is known. */
type Judge = (turns: readonly JudgedTurn[], onVerdict: (turn: number, verdict: string) => void, signal: AbortSignal) => Promise<void>;

/** Requests under way at once. */
const atOnce = 4;

export async function judgeTurns({ spec, subjects, tally, emit, signal }: Asking, questions: readonly TurnQuestion[]): Promise<void> {
  if (!spec.judge) throw new UserError({ what: "No judge was named.", where: "probe: judge", fix: "Name a model folder or an address." });
  const all = questions.flatMap((question) => question.turns.flatMap((_, turn) => subjects.map((subject) => ({ question, turn, subject }))));
  const open = all.flatMap((each) => {
    const answer = tally.find(answerIndex(each.question, each.turn), each.subject)!;
    return answer.verdict === null ? [{ ...each, answer }] : [];
  });
  const report = trackProgress({ emit, stage: "Judging the answers", unit: "answers", total: all.length, from: all.length - open.length });
  let judged = all.length - open.length;
  const turns = open.map(({ question, turn, subject }): JudgedTurn => ({
    turns: question.turns.slice(0, turn + 1),
    answers: question.turns.slice(0, turn + 1).map((_, i) => tally.find(answerIndex(question, i), subject)!.answer),
    references: question.references,
  }));
  await judgeOf(spec.judge)(turns, (i, verdict) => {
    tally.put(rated(open[i].answer, open[i].turn, verdict));
    report((judged += 1));
  }, signal);
}

function rated(answer: ProbeAnswer, turn: number, verdict: string): ProbeAnswer {
  const rating = readRating(verdict);
  const measures: Record<string, number> = rating === null ? { rated: 0 } : { rated: 1, rating, [`turn ${turn + 1}`]: rating };
  return { ...answer, verdict, measures, isExact: rating !== null && rating >= goodRating };
}

function judgeOf(settings: JudgeSettings): Judge {
  return settings.kind === "model" ? byModel(settings) : byEndpoint(settings);
}

/** The probed model's weights are let go of first. */
function byModel({ folder, newTokens, batch }: Extract<JudgeSettings, { kind: "model" }>): Judge {
  return async (turns, onVerdict, signal) => {
    if (turns.length === 0) return;
    const { answerer, tokenizer } = await warmAnswerer(folder);
    const template = tokenizer.chatTemplate === null ? "alpaca" : "chat";
    const rows = turns.map((turn) => encodePrompt(renderPrompt(judgeMessages(turn), tokenizer, template), tokenizer, template));
    const tooLong = rows.find((ids) => ids.length + newTokens > answerer.maxLength);
    if (tooLong) {
      throw new UserError({ what: `A conversation has ${tooLong.length} tokens for the judge; with its verdict of ${newTokens}, at most ${answerer.maxLength} fit.`, where: folder, fix: "Choose a judge with a longer context, or allow shorter answers." });
    }
    await answerer.answerAll(
      rows.map((ids) => ({ ids, adapter: null, maxNewTokens: newTokens })),
      {
        rows: batch,
        eosIds: answerer.checkpoint.config.eosIds,
        onToken: (_row, _id, ids) => /\[\[\d+\.?\d*\]\]/.test(tokenizer.decode(ids)),
        onAnswer: (row, { generated }) => onVerdict(row, tokenizer.decode(generated.ids)),
        signal,
      },
    );
  };
}

function byEndpoint(settings: Extract<JudgeSettings, { kind: "endpoint" }>): Judge {
  const endpoint = chatEndpoint(settings);
  return async (turns, onVerdict, signal) => {
    let next = 0;
    let failure: { error: unknown } | null = null;
    const work = async (): Promise<void> => {
      while (next < turns.length && failure === null) {
        const turn = next++;
        onVerdict(turn, await endpoint.ask(judgeMessages(turns[turn]), signal));
      }
    };
    // After a failure nothing new is asked; what is under way ends, so that its verdict is not lost.
    await Promise.all(Array.from({ length: atOnce }, () => work().catch((error: unknown) => void (failure ??= { error }))));
    throwIfFailed(failure);
  };
}

function throwIfFailed(failure: { error: unknown } | null): void {
  if (failure !== null) throw failure.error;
}
