// The Alpaca prompt, word for word as the LoRA-Null and PiSSA training code writes it (the form without input), and the
// answer one space after it. Training, probes, side-by-side answers and exports all take it from here.

import type { ChatMessage } from "../checkpoint/types.ts";

export const alpacaHeader = "Below is an instruction that describes a task. Write a response that appropriately completes the request.";

/** Text before the next answer: header (or the conversation's system turn), instructions, "### Response:". */
export function alpacaPrompt(messages: readonly ChatMessage[], eosText: string): string {
  const before = alpacaSegments(messages).map((segment) => segment.text + (segment.isAnswer ? eosText : ""));
  return `${before.join("")}### Response:`;
}

/** A conversation cut into prompts and answers; each answer is followed by the end-of-text token. */
export function alpacaSegments(messages: readonly ChatMessage[]): { text: string; isAnswer: boolean; message: number | null }[] {
  const system = messages.find((message) => message.role === "system")?.content;
  const segments: { text: string; isAnswer: boolean; message: number | null }[] = [];
  let before = `${system ?? alpacaHeader}\n\n`;
  for (const [i, { role, content }] of messages.entries()) {
    if (role === "system") continue;
    if (role !== "assistant") {
      before += `### Instruction:\n${content}\n\n`;
      continue;
    }
    segments.push({ text: `${before}### Response:`, isAnswer: false, message: null }, { text: ` ${content}`, isAnswer: true, message: i });
    before = "\n\n";
  }
  if (messages.at(-1)?.role !== "assistant") segments.push({ text: before, isAnswer: false, message: null });
  return segments;
}
