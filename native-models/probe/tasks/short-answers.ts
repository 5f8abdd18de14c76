// Questions with short accepted answers: what TriviaQA, NQ-open and files of one's own have in common.

import { isContained, isExactMatch, filterGeneration, type Normalisation } from "../score.ts";
import type { TaskQuestion } from "../task.ts";

export interface ShortAnswer {
  question: string;
  /** The text that the model continues. */
  prompt: string;
  accepted: string[];
  /** The answer whose log-likelihood is taken; default: the first accepted one. */
  main?: string | null;
  normalisation: Normalisation;
  stops: readonly string[];
}

export function shortAnswer({ question, prompt, accepted, main, normalisation, stops }: ShortAnswer): TaskQuestion {
  return {
    question,
    accepted,
    prompt,
    message: question,
    example: ` ${accepted[0]}`,
    target: ` ${main ?? accepted[0]}`,
    judge: {
      kind: "text",
      judge: (cut, raw) => ({ isExact: isExactMatch(filterGeneration(cut, stops), accepted, normalisation), isContained: isContained(raw, accepted) }),
    },
  };
}
