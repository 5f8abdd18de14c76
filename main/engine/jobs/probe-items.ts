// What a probe asks and how it judges: questions of one of the probe tasks, or rows of a training set.
// In: the job and the model's tokenizer. Out: prompts as token ids, the answer whose log-likelihood is taken, and a judge.

import type { ChatMessage, Tokenizer } from "../../../native-models/checkpoint/types.ts";
import { encodeFromStart } from "../../../native-models/data/from-start.ts";
import { encodePrompt, renderPrompt } from "../../../native-models/data/prompt.ts";
import { UserError } from "../../../native-models/errors.ts";
import { readTask } from "../../../native-models/probe/read-task.ts";
import { isContained } from "../../../native-models/probe/score.ts";
import { cutAtStops, examplesText, type Judge, type Judged, type ProbeTask, type TaskQuestion } from "../../../native-models/probe/task.ts";
import { taskOf } from "../../../native-models/probe/tasks.ts";
import type { ProbeJob } from "../answer-jobs.ts";
import { rowItems } from "./row-items.ts";

/** What a model gave: its text, and for each of `continuations` whether it is the greedy one. */
export interface Given {
  text: string;
  areGreedy: readonly boolean[];
}

export interface ProbeItem {
  /** Row number in the file. */
  index: number;
  question: string;
  accepted: string[];
  prompt: string;
  promptIds: number[];
  /** The answer whose log-likelihood is taken. */
  answerIds: number[];
  /** Answers that are looked at whether they are the greedy continuation; mostly none. */
  continuations: number[][];
  /** Most tokens that are written; 0: none are. */
  newTokens: number;
  isFinished(text: string): boolean;
  judge(given: Given): Judged | Promise<Judged>;
}

/** Runs a generated program and says how it ended. */
export type RunProgram = (program: string) => Promise<{ hasPassed: boolean; verdict: string }>;

/** Questions of a probe; those whose prompt leaves no room for an answer in `longest` tokens are refused by number. */
export async function probeItems(spec: ProbeJob, tokenizer: Tokenizer, longest: number, runProgram: RunProgram | null = null): Promise<ProbeItem[]> {
  const task = taskOf(spec);
  const items = task === null ? await rowItems(spec, tokenizer) : await taskItems(spec, task, tokenizer, runProgram);
  if (items.length === 0) {
    const why = spec.shotsFrom ? "The file has no question to ask." : `No question is left to ask: ${spec.shots} of the file's rows are the examples.`;
    throw new UserError({ what: why, where: spec.questions, fix: "Give more questions or fewer shots." });
  }
  const tooLong = items.find((item) => item.promptIds.length + longestAnswer(item) > longest);
  if (tooLong) {
    const room = longest - longestAnswer(tooLong);
    throw new UserError({
      what: `The prompt of question ${tooLong.index + 1} has ${tooLong.promptIds.length} tokens; with its answer, at most ${room} fit.`,
      where: spec.questions,
      fix: "Use fewer shots or new tokens, or leave the question out.",
    });
  }
  return items;
}

function longestAnswer({ newTokens, answerIds, continuations }: ProbeItem): number {
  return Math.max(newTokens, ...[answerIds, ...continuations].map(({ length }) => length));
}

async function taskItems(spec: ProbeJob, task: ProbeTask, tokenizer: Tokenizer, runProgram: RunProgram | null): Promise<ProbeItem[]> {
  const { questions, split = null, shots, shotsFrom = null, shotChoice = { by: "first" }, limit } = spec;
  const { examples, asked } = await readTask(task, { questions, split, shots, shotsFrom, choice: shotChoice, limit });
  const ask = spec.wording === "template" ? inTemplate(spec, examples, tokenizer) : inPlainText(task, examples, tokenizer);
  const stops = spec.wording === "template" ? [] : task.stops;
  return asked.map(({ index, question }): ProbeItem => {
    const { prompt, promptIds, continuation } = ask(question);
    const isWritten = question.judge.kind !== "greedy";
    return {
      index,
      question: question.question,
      accepted: question.accepted,
      prompt,
      promptIds,
      answerIds: continuation(question.target ?? question.example),
      continuations: question.judge.kind === "greedy" ? question.judge.continuations.map(continuation) : [],
      newTokens: isWritten ? (spec.maxNewTokens ?? task.newTokens) : 0,
      isFinished: (text) => stops.some((stop) => text.includes(stop)),
      judge: (given) => judgeGiven(question, { ...given, cut: cutAtStops(given.text, stops) }, spec, runProgram),
    };
  });
}

type Ask = (question: TaskQuestion) => { prompt: string; promptIds: number[]; continuation(text: string): number[] };

function inPlainText(task: ProbeTask, examples: readonly TaskQuestion[], tokenizer: Tokenizer): Ask {
  const before = examplesText(task, examples);
  return (question) => {
    const prompt = before + question.prompt;
    const promptIds = encodeFromStart(prompt, tokenizer);
    // As the harness parts them: what the whole text has more than the prompt, which a tokenizer may cut differently alone.
    const continuation = (text: string): number[] => {
      const ids = encodeFromStart(prompt + text, tokenizer).slice(promptIds.length);
      return ids.length > 0 ? ids : tokenizer.encode(text);
    };
    return { prompt, promptIds, continuation };
  };
}

/** Examples are earlier turns of the conversation. */
function inTemplate({ template }: ProbeJob, examples: readonly TaskQuestion[], tokenizer: Tokenizer): Ask {
  const turns = examples.flatMap(({ message, example }): ChatMessage[] => [{ role: "user", content: message }, { role: "assistant", content: example.trim() }]);
  return ({ message }) => {
    const prompt = renderPrompt([...turns, { role: "user", content: message }], tokenizer, template);
    const promptIds = encodePrompt(prompt, tokenizer, template);
    return { prompt, promptIds, continuation: (text) => tokenizer.encode(template === "alpaca" ? ` ${text.trim()}` : text.trim()) };
  };
}

async function judgeGiven({ judge, accepted }: TaskQuestion, given: Given & { cut: string }, { wording = "plain" }: ProbeJob, runProgram: RunProgram | null): Promise<Judged> {
  const judges: { [K in Judge["kind"]]: (by: Extract<Judge, { kind: K }>) => Judged | Promise<Judged> } = {
    text: (by) => by.judge(given.cut, given.text),
    greedy(by) {
      const right = given.areGreedy.indexOf(true);
      const verdict = right < 0 ? "No accepted answer is the greedy continuation." : `Greedy continuation:${by.continuations[right]}`;
      return { isExact: right >= 0, isContained: right >= 0, verdict };
    },
    async program(by) {
      if (runProgram === null) throw new UserError({ what: "Programs of the model are not run here.", where: "probe: mayRunPrograms", fix: "Allow it where there is a sandbox." });
      const { hasPassed, verdict } = await runProgram(by.program(given.cut, wording));
      return { isExact: hasPassed, isContained: hasPassed || isContained(given.text, accepted), verdict };
    },
    turns: () => ({ isExact: false, isContained: false }),
  };
  return (judges[judge.kind] as (by: Judge) => Judged | Promise<Judged>)(judge);
}
