// The text whose inputs decide how weights are rounded: mostly questions with their answers, the rest the same as a
// conversation and worked problems, all from the app's samples. On SmolLM2 questions alone lose 0.17 nats a token more on
// right answers: what follows an answer's mark has inputs of its own.

import { join } from "node:path";
import type { Windows } from "../calibration/tiles.ts";
import type { Tokenizer } from "../checkpoint/types.ts";
import { encodeRows } from "../data/encode.ts";
import { encodeFromStart } from "../data/from-start.ts";
import { readQuestions } from "../data/questions.ts";
import { openRows } from "../data/rows/open.ts";
import type { TrainingRow } from "../data/rows/types.ts";

const length = 256;
/** Turns that follow each other, so that a template's preamble is not most of the text. */
const rowsTogether = 60;
const windows = { questions: 20, conversations: 6, problems: 6 };

/** 32 windows; shorter ones where the model takes no 256 tokens. `samples`: the folder of the app's samples. */
export async function roundingText(samples: string, tokenizer: Tokenizer, mostTokens: number): Promise<Windows> {
  const asked = (await readQuestions(join(samples, "world-knowledge.calibration.jsonl"))).map(({ question, answers }) => ({ question, answer: answers[0]! }));
  const template = tokenizer.chatTemplate === null ? "alpaca" : "chat";
  const talk = (rows: readonly TrainingRow[]): number[] => {
    const together = Array.from({ length: Math.ceil(rows.length / rowsTogether) }, (_, i) => ({ turns: rows.slice(i * rowsTogether, (i + 1) * rowsTogether).flatMap(({ turns }) => turns) }));
    return encodeRows(together, tokenizer, template).flatMap(({ ids }) => [...ids]);
  };
  const parts = [
    { count: windows.questions, ids: encodeFromStart(asked.map(({ question, answer }) => `Question: ${question}?\nAnswer: ${answer}`).join("\n\n"), tokenizer) },
    { count: windows.conversations, ids: talk(asked.map(({ question, answer }) => ({ turns: [turn("user", question), turn("assistant", answer)] }))) },
    { count: windows.problems, ids: talk(await problems(join(samples, "word-problems.train.jsonl"))) },
  ];
  const size = Math.min(length, mostTokens);
  const ids = parts.flatMap((part) => Array.from({ length: part.count * size }, (_, i) => part.ids[i % part.ids.length]!));
  return { ids: Int32Array.from(ids), samples: ids.length / size, length: size };
}

function turn(role: "user" | "assistant", content: string): TrainingRow["turns"][number] {
  return { role, content, isTrained: role === "assistant" };
}

async function problems(file: string): Promise<TrainingRow[]> {
  const source = await openRows(file);
  try {
    return await Promise.all(Array.from({ length: Math.min(source.count, 200) }, (_, i) => source.row(i)));
  } finally {
    await source.close();
  }
}
