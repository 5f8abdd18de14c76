// Saved conversations: found, shown, renamed, deleted, written out.

import type { Deps } from "./deps.ts";
import { chatDetail, chatSummary, mustFindChat } from "./chat-views.ts";
import { chatExport, type ExportFormat } from "./chat-export.ts";
import type { ChatDetail, ChatSummary } from "./shapes/chats.ts";
import type { Subjects } from "./subjects.ts";

export function chatsService({ store, changes }: Deps, subjects: Subjects) {
  const show = (id: number): ChatDetail => chatDetail(subjects, mustFindChat(store, id), store.turns.list(id));
  return {
    show,
    choices: subjects.choices,

    /** Last used first; with a text, those that hold it in title, prompts or answers. */
    list: (search: string, limit: number): ChatSummary[] => store.conversations.list(search.trim(), limit).map((row) => chatSummary(subjects, row)),

    rename(id: number, title: string): void {
      mustFindChat(store, id);
      store.conversations.rename(id, title);
      changes.touch();
    },

    /** The conversation with all its turns. Votes on it stay counted. */
    forget(id: number): void {
      mustFindChat(store, id);
      store.conversations.remove(id);
      changes.touch();
    },

    export: (id: number, format: ExportFormat): { fileName: string; text: string } => chatExport(show(id), format),
  };
}
