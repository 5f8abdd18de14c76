// Column mappings as a form fills them in: which parts a kind has, which columns suit them at first, and in words.

import type { ColumnMapping } from "../../main/rpc/contract.ts";

export type MappingKind = ColumnMapping["kind"];

export interface MappingPart {
  key: string;
  label: string;
  isNeeded: boolean;
  /** Names that suit it, likeliest first. */
  likely: readonly string[];
}

export const mappingKinds: readonly { kind: MappingKind; label: string; parts: readonly MappingPart[] }[] = [
  {
    kind: "pair",
    label: "Prompt and answer",
    parts: [
      { key: "prompt", label: "Prompt", isNeeded: true, likely: ["prompt", "instruction", "question", "query", "input"] },
      { key: "completion", label: "Answer", isNeeded: true, likely: ["completion", "output", "answer", "response"] },
      { key: "input", label: "Added to the prompt", isNeeded: false, likely: [] },
      { key: "system", label: "System text", isNeeded: false, likely: [] },
      { key: "history", label: "Earlier turns", isNeeded: false, likely: [] },
    ],
  },
  {
    kind: "conversation",
    label: "Conversation",
    parts: [
      { key: "messages", label: "Messages", isNeeded: true, likely: ["messages", "conversations"] },
      { key: "system", label: "System text", isNeeded: false, likely: [] },
      { key: "tools", label: "Tools", isNeeded: false, likely: [] },
    ],
  },
  { kind: "text", label: "Plain text", parts: [{ key: "text", label: "Text", isNeeded: true, likely: ["text", "content"] }] },
];

/** Column by part; "" where none is chosen. */
export type MappingDraft = Record<string, string>;

export function partsOf(kind: MappingKind): readonly MappingPart[] {
  return mappingKinds.find((each) => each.kind === kind)!.parts;
}

/** What the form begins with: the mapping in use, else columns whose names suit. */
export function draftOf(kind: MappingKind, mapping: ColumnMapping | null, columns: readonly string[]): MappingDraft {
  const given = mapping?.kind === kind ? (mapping as Record<string, string>) : {};
  const like = (part: MappingPart): string => columns.find((column) => part.likely.includes(column.toLowerCase())) ?? "";
  return Object.fromEntries(partsOf(kind).map((part) => [part.key, given[part.key] ?? (mapping === null ? like(part) : "")]));
}

/** The mapping of a filled form, or null where a needed column is not chosen or one is chosen twice. */
export function mappingOf(kind: MappingKind, draft: MappingDraft): ColumnMapping | null {
  const chosen = partsOf(kind).filter(({ key }) => (draft[key] ?? "") !== "");
  const isWhole = partsOf(kind).every(({ key, isNeeded }) => !isNeeded || (draft[key] ?? "") !== "");
  if (!isWhole || new Set(chosen.map(({ key }) => draft[key])).size < chosen.length) return null;
  return { kind, ...Object.fromEntries(chosen.map(({ key }) => [key, draft[key]])) } as ColumnMapping;
}

/** "prompt: question · answer: reply" */
export function mappingWords(mapping: ColumnMapping): string {
  const columns = mapping as Record<string, string>;
  return partsOf(mapping.kind)
    .filter(({ key }) => columns[key] !== undefined)
    .map(({ key, label }) => `${label.toLowerCase()}: ${columns[key]}`)
    .join(" · ");
}
