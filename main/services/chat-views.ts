// Rows of conversations as the shapes that callers get. What is hidden stays here: the places of a blind turn are given
// out only after its vote.

import { basename } from "node:path";
import { UserError } from "../../native-models/errors.ts";
import type { ConversationRow, ListedConversation } from "../db/conversations.ts";
import type { Store } from "../db/store.ts";
import type { TurnRow } from "../db/turns.ts";
import type { Sampling, Subject } from "./params/chats.ts";
import type { ChatDetail, ChatSummary, TurnView } from "./shapes/chats.ts";
import type { Subjects } from "./subjects.ts";

export function isHidden(chat: Pick<ConversationRow, "isBlind">, turn: Pick<TurnRow, "verdict">): boolean {
  return chat.isBlind && turn.verdict === null;
}

export function turnView(chat: ConversationRow, turn: TurnRow): TurnView {
  const { id, parentId, prompt, system, answers, places, verdict, tokensPerSecond, createdMs } = turn;
  return {
    id, parentId, prompt, system, verdict, tokensPerSecond, createdMs,
    sampling: turn.sampling as Sampling,
    answers: answers.map(({ text, tokens, stopped, ids }) => ({ text, tokens, stopped, hasTokens: ids.length === tokens })),
    places: isHidden(chat, turn) ? null : places,
  };
}

export function chatSummary(subjects: Subjects, { turns, ...row }: ListedConversation): ChatSummary {
  return { ...shared(subjects, row), turns };
}

export function chatDetail(subjects: Subjects, row: ConversationRow, turns: readonly TurnRow[]): ChatDetail {
  return { ...shared(subjects, row), template: row.template, turns: turns.map((turn) => turnView(row, turn)) };
}

function shared(subjects: Subjects, { id, title, modelPath, isBlind, createdMs, updatedMs, ...row }: ConversationRow) {
  return { id, title, modelPath, isBlind, createdMs, updatedMs, modelName: basename(modelPath), subjects: (row.subjects as Subject[]).map(subjects.viewOf) };
}

export function mustFindChat(store: Store, id: number): ConversationRow {
  const row = store.conversations.find(id);
  if (row === null) throw new UserError({ what: `There is no conversation ${id}.`, where: "chats: id", fix: "chats list shows those that are there." });
  return row;
}

export function mustFindTurn(store: Store, id: number): { chat: ConversationRow; turn: TurnRow } {
  const turn = store.turns.find(id);
  if (turn === null) throw new UserError({ what: `There is no turn ${id}.`, where: "chats: turnId", fix: "Open the conversation again." });
  return { chat: mustFindChat(store, turn.conversationId), turn };
}
