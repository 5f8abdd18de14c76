// A model's raw answer as a list shows it: from its first word, without endless white space.

export function answerLine(answer: string): string {
  const text = answer.trim().replace(/\n{2,}/g, "\n");
  return text === "" ? "(nothing)" : text;
}
