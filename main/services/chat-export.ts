// A conversation as a file for people (Markdown) or programs (JSON). Made from what callers are shown, so a blind turn
// without its vote says left and right there too.

import type { ChatDetail, TurnView } from "./shapes/chats.ts";

export type ExportFormat = "markdown" | "json";

export function chatExport(chat: ChatDetail, format: ExportFormat): { fileName: string; text: string } {
  const name = chat.title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 60) || `conversation-${chat.id}`;
  if (format === "json") return { fileName: `${name}.json`, text: `${JSON.stringify({ format: "nullspace-conversation", version: 1, ...chat }, null, 2)}\n` };
  return { fileName: `${name}.md`, text: markdown(chat) };
}

const ends = { eos: "ended by itself", length: "cut at the longest length", hand: "stopped" };
const verdictWords = { left: "left is better", right: "right is better", tie: "as good as each other", "both-bad": "both bad" };

function markdown(chat: ChatDetail): string {
  const models = chat.subjects.map(({ label, about }) => `- ${label}: ${about}`);
  const head = [`# ${chat.title}`, "", `Base model: ${chat.modelPath}`, "", ...models, "", `Prompt template: ${chat.template}${chat.isBlind ? " · blind comparison" : ""}`];
  const numbers = new Map(chat.turns.map(({ id }, i) => [id, i + 1]));
  return `${[...head, ...chat.turns.flatMap((turn) => turnLines(chat, turn, numbers))].join("\n")}\n`;
}

function turnLines(chat: ChatDetail, turn: TurnView, numbers: ReadonlyMap<number, number>): string[] {
  const { temperature, topP, topK, minP, repetitionPenalty, maxNewTokens, seed } = turn.sampling;
  const after = turn.parentId === null ? "" : `, after turn ${numbers.get(turn.parentId)}`;
  const settings = `temperature ${temperature}, top-p ${topP}, top-k ${topK}, min-p ${minP}, repetition penalty ${repetitionPenalty}, at most ${maxNewTokens} tokens, seed ${seed}`;
  const sides = ["Left", "Right"];
  const answers = turn.answers.flatMap(({ text, tokens, stopped }, place) => {
    const subject = turn.places?.[place];
    const side = chat.isBlind ? sides[place]! : null;
    const label = subject === undefined ? null : chat.subjects[subject]!.label;
    return ["", `### ${[side, label].filter((part) => part !== null).join(": ")}`, "", text.trim(), "", `_${tokens} tokens, ${ends[stopped]}_`];
  });
  return [
    "", `## Turn ${numbers.get(turn.id)}${after}`, "", `_${settings}_`,
    ...(turn.system.trim() === "" ? [] : ["", "System:", "", quoted(turn.system)]),
    "", quoted(turn.prompt), ...answers,
    ...(turn.verdict === null ? [] : ["", `Vote: ${verdictWords[turn.verdict]}.`]),
  ];
}

function quoted(text: string): string {
  return text.split("\n").map((line) => `> ${line}`).join("\n");
}
