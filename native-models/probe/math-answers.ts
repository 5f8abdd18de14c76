// Final answers of competition mathematics: what is boxed, and whether two answers are the same.
// Two normal forms, character for character as lm-evaluation-harness has them: Hendrycks's (hendrycks_math, from the MATH
// paper's code) and Minerva's (minerva_math, appendix D of Lewkowycz et al. 2022), without the harness's symbolic algebra.

/** The last \boxed{…} (or \fbox{…}) with its braces balanced; null where there is none. */
export function lastBoxed(text: string): string | null {
  if (text.includes("\\boxed ")) return text.slice(text.lastIndexOf("\\boxed ") + 7).split("$")[0]!;
  const at = Math.max(text.lastIndexOf("\\boxed"), -1);
  const start = at >= 0 ? at : text.lastIndexOf("\\fbox");
  if (start < 0) return null;
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    if (text[i] === "{") depth += 1;
    if (text[i] !== "}") continue;
    depth -= 1;
    if (depth === 0) return /^\\boxed\{/.test(text.slice(start)) ? text.slice(start + 7, i) : null;
  }
  return null;
}

/** What a text without a box says last: after "answer is", up to the end of the sentence. */
export function statedAnswer(text: string): string | null {
  const said = [...text.matchAll(/answer is:?\s*(.+)/gi)].at(-1)?.[1];
  if (said === undefined) return null;
  const bare = said.split(/I hope it is correct/)[0]!.replace(/\.(\s.*)?$/, "").trim();
  return /^\$([^$]+)\$$/.exec(bare)?.[1] ?? bare;
}

/** Equal in Hendrycks's normal form. */
export function isHendrycksEqual(given: string, gold: string): boolean {
  const [a, b] = [hendrycksForm(given), hendrycksForm(gold)];
  return a === null || b === null ? given === gold : a === b;
}

/** Equal in Minerva's normal form. */
export function isMinervaEqual(given: string, gold: string): boolean {
  return minervaForm(given) === minervaForm(gold);
}

/** Null where the text is malformed: the harness then compares the texts as they are. */
export function hendrycksForm(answer: string): string | null {
  let text = answer.replaceAll("\n", "").replaceAll("\\!", "").replaceAll("\\\\", "\\").replaceAll("tfrac", "frac").replaceAll("dfrac", "frac");
  text = text.replaceAll("\\left", "").replaceAll("\\right", "").replaceAll("^{\\circ}", "").replaceAll("^\\circ", "").replaceAll("\\$", "");
  const units = text.split("\\text{ ");
  if (units.length > 2) return null;
  text = units[0]!.replaceAll("\\%", "").replaceAll(" .", " 0.").replaceAll("{.", "{0.");
  if (text === "") return text;
  if (text.startsWith(".")) text = `0${text}`;
  const sides = text.split("=");
  if (sides.length === 2 && [...sides[0]!].length <= 2) text = sides[1]!;
  const rooted = bracedRoots(text);
  if (rooted === null) return null;
  const fractions = bracedFractions(rooted.replaceAll(" ", ""));
  if (fractions === null) return null;
  return slashFraction(fractions === "0.5" ? "\\frac{1}{2}" : fractions);
}

/** \sqrt3 → \sqrt{3} */
function bracedRoots(text: string): string | null {
  const [head, ...parts] = text.split("\\sqrt");
  if (parts.some((part) => part === "")) return null;
  return head! + parts.map((part) => (part.startsWith("{") ? `\\sqrt${part}` : `\\sqrt{${first(part)}}${rest(part, 1)}`)).join("");
}

/** \frac12 → \frac{1}{2}, also \frac1{72} */
function bracedFractions(text: string): string | null {
  const [head, ...parts] = text.split("\\frac");
  if (parts.some((part) => part === "")) return null;
  let result = head!;
  for (const part of parts) {
    if (part.startsWith("{")) {
      result += `\\frac${part}`;
      continue;
    }
    const [a, b] = [...part];
    if (b === undefined) return text;
    result += b === "{" ? `\\frac{${a}}${rest(part, 1)}` : `\\frac{${a}}{${b}}${rest(part, 2)}`;
  }
  return result;
}

const first = (text: string): string => [...text][0]!;
const rest = (text: string, from: number): string => [...text].slice(from).join("");

/** 3/4 → \frac{3}{4}; null where the sides are no plain numbers, as the harness's own conversion then fails. */
function slashFraction(text: string): string | null {
  const sides = text.split("/");
  if (sides.length !== 2) return text;
  const [a, b] = sides.map(pythonInteger);
  if (a === null || b === null) return null;
  return text === `${a}/${b}` ? `\\frac{${a}}{${b}}` : text;
}

/** int(text) as it is printed again, or null where it would raise. */
function pythonInteger(text: string): string | null {
  const bare = text.trim();
  if (!/^[+-]?\d+(_\d+)*$/.test(bare)) return null;
  return String(BigInt(bare.replaceAll("_", "").replace(/^\+/, "")));
}

const substitutions: readonly (readonly [string, string])[] = [
  ["an ", ""], ["a ", ""], [".$", "$"], ["\\$", ""], ["\\ ", ""], [" ", ""], ["mbox", "text"], [",\\text{and}", ","], ["\\text{and}", ","], ["\\text{m}", "\\text{}"],
];
const unitWords = [
  "square", "ways", "integers", "dollars", "mph", "inches", "ft", "hours", "km", "units", "sue", "points", "feet", "minutes", "digits", "cents",
  "degrees", "cm", "gm", "pounds", "meters", "meals", "edges", "students", "childrentickets", "multiples",
];
const removed = [
  ...unitWords.slice(0, 10), "\\ldots", ...unitWords.slice(10), "\\text{s}", "\\text{.}", "\\text{\ns}", "\\text{}^2", "\\text{}^3", "\\text{\n}", "\\text{}",
  "\\mathrm{th}", "^\\circ", "^{\\circ}", "\\;", ",\\!", "{,}", '"', "\\dots",
];
const isWord = new Set(unitWords);

export function minervaForm(answer: string): string {
  let text = answer.split("=").at(-1)!;
  for (const unit of unitWords) text = text.replace(new RegExp(`(?<!\\\\)(?<![\\p{L}\\p{N}_])${unit}(?![\\p{L}\\p{N}_])`, "gu"), "");
  for (const [before, after] of substitutions) text = text.replaceAll(before, after);
  for (const expression of removed) text = isWord.has(expression) ? outsideCommands(text, (part) => part.replaceAll(expression, "")) : text.replaceAll(expression, "");
  text = text.replace(/(.*?)(\$)(.*?)(\$)(.*)/g, (_, _before, _open, inside: string) => `$${inside}$`);
  text = text.replace(/\\text\{(.*?)\}/g, "$1").replace(/\\textbf\{(.*?)\}/g, "$1").replace(/\\overline\{(.*?)\}/g, "$1").replace(/\\boxed\{(.*)\}/g, "$1");
  text = text.replace(/frac([^{])(.)/gu, "frac{$1}{$2}").replace(/sqrt(\[[^\]]*\])([\p{L}\p{N}_])/gu, "sqrt$1{$2}").replace(/sqrt(?!\[)([^{])/gu, "sqrt{$1}");
  text = text.replaceAll("$", "");
  return /^-?\d{1,3}(,\d{3})+$/.test(text) ? text.replaceAll(",", "") : text;
}

/** A LaTeX command keeps its letters: \left is no foot. */
function outsideCommands(text: string, change: (part: string) => string): string {
  return text.split(/(\\[a-zA-Z]+)/).map((part, i) => (i % 2 === 0 ? change(part) : part)).join("");
}
