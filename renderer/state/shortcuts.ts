// Keys that lead to pages: Alt and a number; and those of a prompt.

import { pathTo } from "./route.svelte.ts";

export const pageKeys = [
  { key: "1", path: pathTo.models, name: "Models" },
  { key: "2", path: pathTo.newRun(), name: "New run" },
  { key: "3", path: pathTo.runs, name: "Runs" },
  { key: "4", path: pathTo.compare(), name: "Compare" },
] as const;

/** By the key's place, since Alt changes its character on some systems. */
export function shortcutPage(event: Pick<KeyboardEvent, "altKey" | "ctrlKey" | "metaKey" | "shiftKey" | "code">): string | null {
  if (!event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return null;
  return pageKeys.find(({ key }) => event.code === `Digit${key}`)?.path ?? null;
}

/** What a key means in a box for a prompt: Enter sends, with Shift it is a new line; an input method's own Enter is neither. */
export function sendKey(event: Pick<KeyboardEvent, "key" | "shiftKey" | "isComposing">): "send" | "escape" | null {
  if (event.isComposing) return null;
  if (event.key === "Enter" && !event.shiftKey) return "send";
  return event.key === "Escape" ? "escape" : null;
}
