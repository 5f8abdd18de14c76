// One training row → token ids and which of them are targets.
// In: turns, the model's tokenizer, the template that was chosen. Out: ids and marks. Trained are the answers and the
// token that closes each (also where pad = EOS), nothing else. Every answer is encoded apart from its prompt, because
// that is how it is met when the model is asked: the prompt first, then token after token.

import { underTemplateClock } from "../checkpoint/chat-template.ts";
import type { ChatMessage, Tokenizer } from "../checkpoint/types.ts";
import { UserError } from "../errors.ts";
import { alpacaSegments } from "./alpaca.ts";
import { encodeFromStart } from "./from-start.ts";
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
  /** The context begins here, and the text writes no BOS of its own: it gets one where the tokenizer adds it. */
  isStart: boolean;
}

export function encodeRow(row: TrainingRow, tokenizer: Tokenizer, template: TemplateName): EncodedRow {
  return encodeSegments(segmentsOf(row.turns, tokenizer, template), tokenizer);
}

/** Several rows at once: much faster with a chat template, as one clock watches over all its renderings. */
export function encodeRows(rows: readonly TrainingRow[], tokenizer: Tokenizer, template: TemplateName): EncodedRow[] {
  const segments = underTemplateClock(() => rows.map((row) => segmentsOf(row.turns, tokenizer, template)));
  return segments.map((row) => encodeSegments(row, tokenizer));
}

function encodeSegments(segments: readonly Segment[], tokenizer: Tokenizer): EncodedRow {
  const ids: number[] = [];
  const marks: number[] = [];
  for (const segment of segments) {
    const mark = segment.isTrained ? 1 : 0;
    for (const id of segment.isStart ? encodeFromStart(segment.text, tokenizer) : tokenizer.encode(segment.text)) {
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
  if (texts.length > 0) return texts.map((turn, i) => ({ text: turn.content, isTrained: isTarget(turn), addsEos: true, isStart: i === 0 }));

  const messages = turns as readonly (TrainingTurn & ChatMessage)[];
  const lastAnswer = messages.findLastIndex((turn) => turn.role === "assistant");
  const answered = messages.slice(0, lastAnswer + 1); // after the last answer there is nothing to learn
  if (template === "chat") return chatSegments(answered, tokenizer);
  return alpacaSegments(answered).map(({ text, isAnswer, message }, i) => ({ text, isTrained: message !== null && isTarget(answered[message]!), addsEos: isAnswer, isStart: i === 0 }));
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
  const { tail, mark } = closingOf(tokenizer, render);
  const messages = turns.map(({ role, content }) => ({ role, content }));
  const segments: Segment[] = [];
  let consumed = "";
  for (const [i, turn] of turns.entries()) {
    if (turn.role !== "assistant") continue;
    const prompt = render(messages.slice(0, i), { addGenerationPrompt: true });
    const whole = render(messages.slice(0, i + 1), { addGenerationPrompt: false });
    const fits = prompt.startsWith(consumed) && whole.startsWith(prompt) && whole.endsWith(tail) && whole.length >= prompt.length + tail.length;
    if (!fits) throw rewrites(i);
    const answer = whole.slice(prompt.length, whole.length - tail.length) + mark;
    segments.push({ text: prompt.slice(consumed.length), isTrained: false, addsEos: false, isStart: false }, { text: answer, isTrained: isTarget(turn), addsEos: mark === "", isStart: false });
    consumed = prompt + answer;
  }
  return segments;
}

/** What follows an answer in the template: the mark that ends it, and the rest, which is not learnt. */
interface Closing {
  tail: string;
  mark: string;
}

const closings = new WeakMap<Tokenizer, Closing>();

/** Found once a tokenizer, by an answer that cannot be mistaken for the template's own words. */
function closingOf(tokenizer: Tokenizer, render: NonNullable<Tokenizer["chatTemplate"]>): Closing {
  const known = closings.get(tokenizer);
  if (known !== undefined) return known;
  const answer = "nullspace-answer-7f3a";
  const written = render([{ role: "user", content: "?" }, { role: "assistant", content: answer }], { addGenerationPrompt: false });
  const tail = written.slice(written.lastIndexOf(answer) + answer.length);
  const closing = { tail, mark: endMark(tail, tokenizer) };
  closings.set(tokenizer, closing);
  return closing;
}

/** The tail up to and with its first special token; without one, the tail less the blanks at its end. */
function endMark(tail: string, tokenizer: Tokenizer): string {
  const special = tokenizer.encode(tail).find((id) => tokenizer.decode([id]) === "");
  const mark = special === undefined ? "" : tokenizer.decode([special], { keepSpecial: true });
  const at = mark === "" ? -1 : tail.indexOf(mark);
  return at < 0 ? tail.trimEnd() : tail.slice(0, at + mark.length);
}

function rewrites(turn: number): UserError {
  return new UserError({
    what: `The model's chat template writes the turns before turn ${turn + 1} differently once it is answered, so which tokens to train cannot be told.`,
    where: "template",
    fix: 'Use rows with one question and one answer, or the template "alpaca".',
  });
}
