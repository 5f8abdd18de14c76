// A token's text as shown: what cannot be seen gets a sign, a leading space stays a space.

const signs: Record<string, string> = { "\n": "↵", "\t": "⇥", "\r": "␍", "\u200b": "·" };

export function chipText(text: string): string {
  if (text === "") return "∅";
  return text.replace(/[\n\t\r\u200b]/g, (character) => signs[character]!);
}
