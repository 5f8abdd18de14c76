// What a message shows of a broken line: its start, on one line, with control characters made visible.

const shownCharacters = 80;

export function quoteText(text: string): string {
  const start = text.slice(0, shownCharacters);
  const visible = start.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff]/gu, (c) => `\\u${c.codePointAt(0)!.toString(16).padStart(4, "0")}`);
  return `"${visible}${text.length > shownCharacters ? "…" : ""}"`;
}

export function quoteBytes(bytes: Uint8Array): string {
  return quoteText(new TextDecoder().decode(bytes.subarray(0, shownCharacters * 4 + 4)));
}
