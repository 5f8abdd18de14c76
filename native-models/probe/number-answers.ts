// Final numbers of worked answers: gsm8k as lm-evaluation-harness scores it, and a looser reading for any rows.
// In: generated text and the worked answer. Out: yes or no.

export type NumberRule = "strict" | "flexible";

/** Strict takes the first "#### N", flexible the last number. Null where there is none. */
export function extractNumber(text: string, rule: NumberRule): string | null {
  const found = rule === "strict" ? /#### (-?[0-9.,]+)/.exec(text)?.[1] : text.match(/-?[$0-9.,]{2,}|-?[0-9]+/g)?.at(-1);
  return found ?? null;
}

/** The harness's gsm8k: the extracted number against the whole worked answer, both stripped of the same marks. */
export function isGsm8kMatch(text: string, gold: string, rule: NumberRule): boolean {
  return withoutMarks(extractNumber(text, rule) ?? "[invalid]") === withoutMarks(gold);
}

// Commas, dollars, all up to the last "#### ", and a final full stop (before a last line break too, as Python's $ has it).
const withoutMarks = (text: string): string => text.replace(/,/g, "").replace(/\$/g, "").replace(/[\s\S]*#### /g, "").replace(/\.(?=\n?$)/g, "").toLowerCase();

/** The number as it is compared in rows of any kind. */
export function finalNumber(text: string, rule: NumberRule): string | null {
  return extractNumber(text, rule)?.replace(/[,$]/g, "").replace(/\.$/, "") ?? null;
}

/** Does the text end in the number that the worked answer `gold` ends in? */
export function isFinalNumberMatch(text: string, gold: string, rule: NumberRule): boolean {
  const wanted = finalNumber(gold, "strict") ?? finalNumber(gold, "flexible");
  return wanted !== null && finalNumber(text, rule) === wanted;
}
