// Prompts of the world-knowledge probes, character for character as lm-evaluation-harness builds them.
// In: a question and shots. Out: the text to continue; the answer begins with a space.

export interface Shot {
  question: string;
  answers: readonly string[];
}

export type KnowledgeStyle = "nq_open" | "triviaqa";

interface PromptForm {
  description: string;
  ask(question: string): string;
  /** Between shots. */
  delimiter: string;
}

const forms: Record<KnowledgeStyle, PromptForm> = {
  nq_open: { description: "Answer these questions:\n\n", ask: (question) => `Q: ${question}?\nA:`, delimiter: "\n" },
  triviaqa: { description: "", ask: (question) => `Question: ${question}?\nAnswer:`, delimiter: "\n\n" },
};

/** Text before the first shot and all shots: the same for every question, so it is computed once. */
export function knowledgePrefix(style: KnowledgeStyle, shots: readonly Shot[]): string {
  const { description, ask, delimiter } = forms[style];
  return description + shots.map((shot) => `${ask(shot.question)} ${shot.answers[0] ?? ""}${delimiter}`).join("");
}

export function knowledgePrompt(style: KnowledgeStyle, question: string, shots: readonly Shot[] = []): string {
  return knowledgePrefix(style, shots) + forms[style].ask(question);
}
