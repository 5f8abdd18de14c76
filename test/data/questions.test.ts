import { describe, expect, test } from "vitest";
import { readQuestions } from "../../native-models/data/questions.ts";
import { tempFile } from "./temp-files.ts";

const read = (name: string, content: string, options?: Parameters<typeof readQuestions>[1]) => readQuestions(tempFile(name, content), options);
const paris = { question: "capital of France", answers: ["Paris"], field: null };

describe("questions", () => {
  test.each([
    ["NQ-open", '{"question":"capital of France","answer":["Paris"]}'],
    ["one answer as text", '{"prompt":"capital of France","answer":"Paris"}'],
    ["answers under another name, blanks and doubles left out", '{"query":"capital of France","aliases":["Paris",""," ","Paris"]}'],
    ["TriviaQA", '{"question":"capital of France","answer":{"value":"Paris","aliases":["Paris"]}}'],
  ])("%s", async (_, line) => {
    expect(await read("q.jsonl", `${line}\n`)).toEqual([paris]);
    expect(await read("q.json", `[${line}]`)).toEqual([paris]);
  });

  test("a CSV cell holds one answer, a JSON list, or answers parted by |", async () => {
    const questions = await read("q.csv", 'question,answer,field\ncapital of France,Paris,\nwho,"[""a"",""b, c""]",x\nwhat,a | b,y\n');
    expect(questions).toEqual([paris, { question: "who", answers: ["a", "b, c"], field: "x" }, { question: "what", answers: ["a", "b"], field: "y" }]);
  });

  test("an answer in JSONL keeps its |", async () => {
    expect((await read("q.jsonl", '{"question":"or","answer":"a|b"}'))[0]!.answers).toEqual(["a|b"]);
  });

  test.each([
    ["no question", '{"answer":"x"}', /"question" or "prompt" or "query" is missing in \{"answer":"x"\}.*q\.jsonl, line 2/],
    ["an empty question", '{"question":" ","answer":"x"}', /"question" must be a text that is not empty.*line 2/],
    ["no answer", '{"question":"q"}', /"answer.aliases" or "answer.value" or "answer" or "answers" or "aliases" is missing.*line 2/],
    ["no accepted answer", '{"question":"q","answers":[]}', /"answers" has no text.*line 2/],
    ["answers of another kind", '{"question":"q","answer":[{"a":1}]}', /"answer" must be a list of texts.*line 2/],
    ["a broken line", '{"question":"q', /not valid JSON.*"\{"question":"q".*line 2/s],
  ])("%s is named by line and quoted", async (_, line, message) => {
    await expect(read("q.jsonl", `{"question":"a","answer":"b"}\n${line}\n`)).rejects.toThrow(message);
  });

  test("calibration needs no answers", async () => {
    expect(await read("q.jsonl", '{"question":"q"}', { answers: "optional" })).toEqual([{ question: "q", answers: [], field: null }]);
  });
});
