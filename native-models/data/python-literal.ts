// Values as Python prints them, which is what pandas leaves in a CSV cell: lists, dicts, texts, numbers, None, and numpy's
// array([...], dtype=object). In: the text. Out: the value, or undefined where it is no such text.

const token = /\s*(?:(?<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?<number>-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)|(?<word>[A-Za-z_][\w.]*)|(?<mark>[[\]{}(),:=]))/sy;
const words: Record<string, unknown> = { None: null, nan: null, True: true, False: false };
const escapes: Record<string, string> = { n: "\n", t: "\t", r: "\r", "\n": "" };

export function pythonLiteral(source: string): unknown {
  const tokens = tokensOf(source.trim());
  if (tokens === null) return undefined;
  try {
    const [value, next] = readValue(tokens, 0);
    return next === tokens.length ? value : undefined;
  } catch (error) {
    if (error instanceof NotPython) return undefined;
    throw error;
  }
}

class NotPython extends Error {}

type Token = { kind: "text" | "number" | "word" | "mark"; text: string };

function tokensOf(source: string): Token[] | null {
  const tokens: Token[] = [];
  token.lastIndex = 0;
  while (token.lastIndex < source.length) {
    const groups = token.exec(source)?.groups;
    if (groups === undefined) return null;
    const [kind, text] = Object.entries(groups).find(([, found]) => found !== undefined)! as [Token["kind"], string];
    tokens.push({ kind, text });
  }
  return tokens;
}

/** The value at a token and where the next one stands. */
function readValue(tokens: readonly Token[], at: number): [unknown, number] {
  const { kind, text } = tokens[at] ?? { kind: "mark", text: "" };
  if (kind === "text") return [text.slice(1, -1).replace(/\\(.)/gs, (_, letter: string) => escapes[letter] ?? letter), at + 1];
  if (kind === "number") return [Number(text), at + 1];
  if (kind === "word" && Object.hasOwn(words, text)) return [words[text], at + 1];
  if (text === "array") return readArray(tokens, at + 1);
  if (text === "[" || text === "(") return readList(tokens, at + 1, text === "[" ? "]" : ")");
  if (text === "{") return readDict(tokens, at + 1);
  throw new NotPython();
}

/** Items with commas between them, or, as numpy prints texts, without. */
function readList(tokens: readonly Token[], start: number, end: string): [unknown[], number] {
  const items: unknown[] = [];
  for (let at = start; ; ) {
    if (tokens[at]?.text === end && tokens[at]!.kind === "mark") return [items, at + 1];
    const [item, next] = readValue(tokens, at);
    items.push(item);
    at = tokens[next]?.text === "," ? next + 1 : next;
  }
}

function readDict(tokens: readonly Token[], start: number): [Record<string, unknown>, number] {
  const fields: [string, unknown][] = [];
  for (let at = start; ; ) {
    if (tokens[at]?.text === "}") return [Object.fromEntries(fields), at + 1];
    const [key, colon] = readValue(tokens, at);
    if (tokens[colon]?.text !== ":") throw new NotPython();
    const [value, next] = readValue(tokens, colon + 1);
    fields.push([String(key), value]);
    at = tokens[next]?.text === "," ? next + 1 : next;
  }
}

/** array([...], dtype=object) */
function readArray(tokens: readonly Token[], start: number): [unknown, number] {
  if (tokens[start]?.text !== "(") throw new NotPython();
  const [items, next] = readValue(tokens, start + 1);
  const end = tokens.findIndex(({ text }, at) => at >= next && text === ")");
  if (end < 0) throw new NotPython();
  return [items, end + 1];
}
