// What a probe asks, and how it judges: a question of world knowledge, or a row of the task.
// Knowledge: lm-evaluation-harness's nq_open prompt, stops and exact match. Shots are the first questions of another
// file, or else of the same one, which are then not asked. Task: the row's prompt in the run's template; right is the
// final number, or the same text where the answer has none.

import type { Tokenizer } from "../../../native-models/checkpoint/types.ts";
import { encodeFromStart } from "../../../native-models/data/from-start.ts";
import { encodePrompt, renderPrompt } from "../../../native-models/data/prompt.ts";
import { readQuestions } from "../../../native-models/data/questions.ts";
import { openLikeRows } from "../../../native-models/data/rows/open.ts";
import type { TrainingRow } from "../../../native-models/data/rows/types.ts";
import { UserError } from "../../../native-models/errors.ts";
import { knowledgePrompt } from "../../../native-models/probe/prompts.ts";
import { answerStops, filterGeneration, finalNumber, isContained, isExactMatch, isFinalNumberMatch } from "../../../native-models/probe/score.ts";
import type { ProbeJob } from "../jobs.ts";

export interface ProbeItem {
  /** Row number in the file. */
  index: number;
  question: string;
  accepted: string[];
  prompt: string;
  promptIds: number[];
  /** The first accepted answer, whose log-likelihood is taken. */
  answerIds: number[];
  isFinished(text: string): boolean;
  judge(text: string): { isExact: boolean; isContained: boolean };
}

/** Questions of a probe; those whose prompt is longer than `longestPrompt` tokens are refused by number. */
export async function probeItems(spec: ProbeJob, tokenizer: Tokenizer, longestPrompt: number): Promise<ProbeItem[]> {
  const items = spec.style === "knowledge" ? await knowledgeItems(spec, tokenizer) : await taskItems(spec, tokenizer);
  if (items.length === 0) {
    const why = spec.shotsFrom ? "The file has no question to ask." : `No question is left to ask: the file's first ${spec.shots} are the examples.`;
    throw new UserError({ what: why, where: spec.questions, fix: "Give more questions or fewer shots." });
  }
  const tooLong = items.find(({ promptIds }) => promptIds.length > longestPrompt);
  if (tooLong) {
    throw new UserError({
      what: `The prompt of question ${tooLong.index + 1} has ${tooLong.promptIds.length} tokens; with its answer, at most ${longestPrompt} fit.`,
      where: spec.questions,
      fix: "Use fewer shots, or leave the question out.",
    });
  }
  return items;
}

async function knowledgeItems({ questions: file, shots, shotsFrom, limit }: ProbeJob, tokenizer: Tokenizer): Promise<ProbeItem[]> {
  const questions = await readQuestions(file);
  const examples = (shotsFrom ? await readQuestions(shotsFrom) : questions).slice(0, shots);
  if (examples.length < shots) {
    throw new UserError({ what: `The file has ${examples.length} questions; ${shots} examples were asked for.`, where: shotsFrom ?? file, fix: "Give more questions or fewer shots." });
  }
  const first = shotsFrom ? 0 : shots;
  return questions.slice(first, limit === null ? undefined : first + limit).map(({ question, answers }, i): ProbeItem => {
    const prompt = knowledgePrompt("nq_open", question, examples);
    return {
      index: first + i,
      question,
      accepted: answers,
      prompt,
      promptIds: encodeFromStart(prompt, tokenizer),
      answerIds: tokenizer.encode(` ${answers[0]}`),
      isFinished: (text) => answerStops.some((stop) => text.includes(stop)),
      judge: (text) => ({ isExact: isExactMatch(filterGeneration(text), answers, "nq_open"), isContained: isContained(text, answers) }),
    };
  });
}

async function taskItems({ questions: file, limit, template, mapping, split }: ProbeJob, tokenizer: Tokenizer): Promise<ProbeItem[]> {
  const source = await openLikeRows(file, mapping ?? null, split ?? null);
  try {
    const items: ProbeItem[] = [];
    for await (const { index, row } of source.rows()) {
      if (limit !== null && items.length === limit) break;
      items.push(taskItem(index, row, tokenizer, template, file));
    }
    return items;
  } finally {
    await source.close();
  }
}

function taskItem(index: number, { turns }: TrainingRow, tokenizer: Tokenizer, template: ProbeJob["template"], file: string): ProbeItem {
  const last = turns.findLastIndex(({ role }) => role === "assistant");
  if (last < 1) {
    throw new UserError({ what: `Row ${index + 1} has no question with an answer.`, where: file, fix: "Probe the task with rows that have both." });
  }
  const messages = turns.slice(0, last).flatMap(({ role, content }) => (role === "text" ? [] : [{ role, content }]));
  const gold = turns[last].content;
  const number = finalNumber(gold, "strict") ?? finalNumber(gold, "flexible");
  const prompt = renderPrompt(messages, tokenizer, template);
  const answer = template === "alpaca" ? ` ${gold}` : gold;
  return {
    index,
    question: messages.findLast(({ role }) => role === "user")?.content ?? "",
    accepted: [number ?? gold],
    prompt,
    promptIds: encodePrompt(prompt, tokenizer, template),
    answerIds: tokenizer.encode(answer),
    isFinished: () => false,
    judge(text) {
      if (number !== null) return { isExact: isFinalNumberMatch(text, gold, "flexible"), isContained: isContained(text, [number]) };
      return { isExact: text.trim() === gold.trim(), isContained: isContained(text, [gold]) };
    },
  };
}
