// The asking half of an instruction-following probe: conversations of some turns, each answer with those before it in view.
// In: the job and its questions. Out: one answer a turn, not yet judged (judge-turns.ts).

import type { ChatMessage } from "../../../native-models/checkpoint/types.ts";
import { encodePrompt, renderPrompt } from "../../../native-models/data/prompt.ts";
import { UserError } from "../../../native-models/errors.ts";
import { readTask } from "../../../native-models/probe/read-task.ts";
import { mtBench } from "../../../native-models/probe/tasks/mt-bench.ts";
import type { Subject } from "./answer-tally.ts";
import type { Asking } from "./probe.ts";
import { trackProgress } from "./progress.ts";

export interface TurnQuestion {
  /** Row number in the file. */
  row: number;
  turns: readonly string[];
  references: readonly string[];
}

/** Most turns of a question: answers are numbered row × this + turn. */
export const mostTurns = 10;

export const answerIndex = ({ row }: TurnQuestion, turn: number): number => row * mostTurns + turn;

export async function askTurns(asking: Asking): Promise<TurnQuestion[]> {
  const { spec, subjects, tally, emit } = asking;
  const { asked } = await readTask(mtBench, { questions: spec.questions, split: spec.split ?? null, shots: 0, shotsFrom: null, choice: { by: "first" }, limit: spec.limit });
  const questions = asked.map(({ index, question: { judge } }): TurnQuestion => {
    if (judge.kind !== "turns") throw new Error("MT-Bench questions have turns");
    return { row: index, turns: judge.turns.slice(0, mostTurns), references: judge.references };
  });
  if (questions.length === 0) throw new UserError({ what: "The file has no question to ask.", where: spec.questions, fix: "Give rows with turns." });

  const deepest = Math.max(...questions.map(({ turns }) => turns.length));
  const all = questions.flatMap((question) => question.turns.flatMap((_, turn) => subjects.map((subject) => ({ question, turn, subject }))));
  let done = all.filter(({ question, turn, subject }) => tally.find(answerIndex(question, turn), subject) !== undefined).length;
  const report = trackProgress({ emit, stage: "Answering the turns", unit: "answers", total: all.length, from: done });
  for (let turn = 0; turn < deepest; turn++) {
    const open = all.filter((each) => each.turn === turn && tally.find(answerIndex(each.question, turn), each.subject) === undefined);
    await askTurn(asking, turn, open, () => report((done += 1)));
  }
  return questions;
}

async function askTurn({ spec, answerer, tokenizer, adapters, subjects, tally, signal }: Asking, turn: number, all: readonly { question: TurnQuestion; subject: Subject }[], onDone: () => void): Promise<void> {
  const prompts = all.map(({ question, subject }) => {
    const messages = question.turns.slice(0, turn + 1).flatMap((content, i): ChatMessage[] => {
      const answer = i < turn ? tally.find(answerIndex(question, i), subject)?.answer : undefined;
      return [{ role: "user", content }, ...(answer === undefined ? [] : [{ role: "assistant" as const, content: answer }])];
    });
    const prompt = renderPrompt(messages, tokenizer, spec.template);
    const ids = encodePrompt(prompt, tokenizer, spec.template);
    const room = answerer.maxLength - ids.length;
    if (room < 1) {
      throw new UserError({
        what: `Turn ${turn + 1} of question ${question.row + 1} has ${ids.length} tokens with what was said before; the model takes ${answerer.maxLength}.`,
        where: spec.questions,
        fix: "Allow fewer new tokens an answer, or leave the question out.",
      });
    }
    const reference = question.references[turn];
    return { question, subject, prompt, ids, room, index: answerIndex(question, turn), accepted: reference ? [reference] : [] };
  });
  for (const asked of prompts) if (asked.subject === "base") tally.takeKnown(asked);
  const open = prompts.filter(({ index, subject }) => tally.find(index, subject) === undefined);
  for (let known = prompts.length - open.length; known > 0; known--) onDone();
  await answerer.answerAll(
    open.map(({ subject, ids, room }) => ({ ids, adapter: subject === "tuned" ? 0 : null, maxNewTokens: Math.min(room, spec.maxNewTokens ?? mtBench.newTokens) })),
    {
      adapters,
      rows: spec.batch * subjects.length,
      eosIds: answerer.checkpoint.config.eosIds,
      onAnswer(row, { generated }) {
        const { question, subject, index, accepted, prompt } = open[row];
        tally.put({
          index, subject, question: turn === 0 ? question.turns[turn] : `(Turn ${turn + 1}) ${question.turns[turn]}`, accepted,
          prompt, answer: tokenizer.decode(generated.ids), isExact: false, isContained: false, logLikelihoodNats: NaN, measures: {}, verdict: null,
        });
        onDone();
      },
      signal,
    },
  );
}
