// One training row → token ids and which of them are targets.
// In: turns, the model's tokenizer, the template that was chosen. Out: ids and marks. Trained are the answers and the
// token that closes each (also where pad = EOS), nothing else. Every answer is encoded apart from its prompt, because
// that is how it is met when the model is asked: the prompt first, then token after token.

import type { ChatMessage, Tokenizer } from "../checkpoint/types.ts";
import { UserError } from "../errors.ts";
import { alpacaSegments } from "./alpaca.ts";
import type { TrainingRow, TrainingTurn } from "./rows/types.ts";

export type TemplateName = "chat" | "alpaca";

export interface EncodedRow {
  ids: Int32Array;
  /** 1 where the token is a target: the loss is taken on predicting it from those before. */
  isTrained: Uint8Array;
}

/** A piece of text that is encoded by itself. */
interface Segment {
  text: string;
  isTrained: boolean;
  /** The end-of-text token follows, trained like the text: where the template writes no mark of its own. */
  addsEos: boolean;
}

export function encodeRow(row: TrainingRow, tokenizer: Tokenizer, template: TemplateName): EncodedRow {
  const ids: number[] = [];
  const marks: number[] = [];
  for (const segment of segmentsOf(row.turns, tokenizer, template)) {
    const mark = segment.isTrained ? 1 : 0;
    for (const id of tokenizer.encode(segment.text)) {
      ids.push(id);
      marks.push(mark);
    }
    if (segment.addsEos) {
      ids.push(tokenizer.eosId);
      marks.push(mark);
    }
  }
  if (marks.length > 0) marks[0] = 0; // nothing stands before it to predict it from
  return { ids: Int32Array.from(ids), isTrained: Uint8Array.from(marks) };
}

export function countTrained(row: EncodedRow): number {
  return row.isTrained.reduce((sum, mark) => sum + mark, 0);
}

/** The row's text in order, cut where training begins and ends. */
function segmentsOf(turns: readonly TrainingTurn[], tokenizer: Tokenizer, template: TemplateName): Segment[] {
  const texts = turns.filter((turn) => turn.role === "text");
  if (texts.length > 0) return texts.map((turn) => ({ text: turn.content, isTrained: isTarget(turn), addsEos: true }));

  const messages = turns as readonly (TrainingTurn & ChatMessage)[];
  const lastAnswer = messages.findLastIndex((turn) => turn.role === "assistant");
  const answered = messages.slice(0, lastAnswer + 1); // after the last answer there is nothing to learn
  if (template === "chat") return chatSegments(answered, tokenizer);
  return alpacaSegments(answered).map(({ text, isAnswer, message }) => ({ text, isTrained: message !== null && isTarget(answered[message]!), addsEos: isAnswer }));
}

/** An answer of blanks would teach the model to say nothing. */
function isTarget(turn: TrainingTurn): boolean {
  return turn.isTrained && turn.content.trim() !== "";
}

function chatSegments(turns: readonly (TrainingTurn & ChatMessage)[], tokenizer: Tokenizer): Segment[] {
  const render = tokenizer.chatTemplate;
  if (render === null) {
    throw new UserError({ what: "The model has no chat template.", where: "template", fix: 'Choose the template "alpaca", or a model with a chat template.' });
  }
  const messages = turns.map(({ role, content }) => ({ role, content }));
  const segments: Segment[] = [];
  let consumed = "";
  for (const [i, turn] of turns.entries()) {
    if (turn.role !== "assistant") continue;
    const prompt = render(messages.slice(0, i), { addGenerationPrompt: true });
    const whole = render(messages.slice(0, i + 1), { addGenerationPrompt: false });
    if (!prompt.startsWith(consumed) || !whole.startsWith(prompt)) throw rewrites(i);
    const answer = closedAnswer(whole.slice(prompt.length), turn.content, tokenizer);
    const isTrained = isTarget(turn);
    segments.push({ text: prompt.slice(consumed.length), isTrained: false, addsEos: false }, { text: answer.text, isTrained, addsEos: !answer.isClosed });
    consumed = prompt + answer.text;
  }
  return segments;
}

/** What the template wrote for an answer, up to and with the mark that ends it; what follows the mark is not learnt. */
function closedAnswer(written: string, content: string, tokenizer: Tokenizer): { text: string; isClosed: boolean } {
  const kept = [content, content.trim()].map((text) => ({ text, at: written.lastIndexOf(text) })).find(({ at }) => at >= 0);
  const end = kept === undefined ? 0 : kept.at + kept.text.length;
  const after = written.slice(end);
  for (const id of tokenizer.encode(after)) {
    if (tokenizer.decode([id]) !== "") continue; // not a special token
    const mark = tokenizer.decode([id], { keepSpecial: true });
    const at = mark === "" ? -1 : after.indexOf(mark);
    if (at >= 0) return { text: written.slice(0, end + at + mark.length), isClosed: true };
  }
  const text = written.trimEnd();
  return { text, isClosed: text.length > end };
}

function rewrites(turn: number): UserError {
  return new UserError({
    what: `The model's chat template writes the turns before turn ${turn + 1} differently once it is answered, so which tokens to train cannot be told.`,
    where: "template",
    fix: 'Use rows with one question and one answer, or the template "alpaca".',
  });
}
