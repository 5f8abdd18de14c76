// The program in a chat model's answer, which mostly stands in a code block among other words.

/** What the first code block holds, closed or cut off; null where there is none. */
export function codeBlock(text: string): string | null {
  return blocksOf(text)[0] ?? null;
}

/** The code block that defines the function; null where none does. */
export function programIn(text: string, entry: string): string | null {
  const definition = new RegExp(`^\\s*(?:async )?def ${entry}\\b`, "m");
  return blocksOf(text).find((code) => definition.test(code)) ?? null;
}

function blocksOf(text: string): string[] {
  return [...text.matchAll(/```(?:\w+)?\n(.*?)(?:```|$)/gs)].map(([, code]) => code!);
}
