// TriviaQA as lm-evaluation-harness asks and scores it (triviaqa v3.0): a question mark is added even where there is one,
// all aliases are accepted, articles count.
// Data: mandarjoshi/trivia_qa, rc.nocontext: columns question and answer {value, aliases}.

import { promptForms, shortAnswerTask } from "./short-answers.ts";

export const triviaqa = shortAnswerTask({
  name: "triviaqa",
  form: promptForms.triviaqa,
  columns: {
    question: ["question", "Question"],
    accepted: ["answer.aliases", "Answer.Aliases", "aliases", "answers", "answer"],
    main: ["answer.value", "Answer.Value"],
  },
  normalisation: "triviaqa",
  example: '{"question": "Which city is the capital of France?", "answer": {"value": "Paris", "aliases": ["Paris", "City of Paris"]}}',
});
