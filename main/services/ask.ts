// A prompt to several models at once: one batch in the engine, every column streamed, the answers kept as a turn of a
// conversation. A column's earlier answers are its own. In a blind conversation the places are drawn anew for each turn and
// leave this process only after its vote.

import { randomInt } from "node:crypto";
import { UserError, type ErrorParts } from "../../native-models/errors.ts";
import type { ConversationRow } from "../db/conversations.ts";
import type { StoredAnswer, TurnRow } from "../db/turns.ts";
import type { Engine, JobEnd } from "../engine/host.ts";
import type { AskColumn, AskJob, SurpriseJob } from "../engine/answer-jobs.ts";
import { isHidden, mustFindChat, mustFindTurn, turnView } from "./chat-views.ts";
import type { Deps } from "./deps.ts";
import { resultOrThrow } from "./job-failure.ts";
import { jobStream } from "./job-stream.ts";
import { oneAtATime } from "./one-at-a-time.ts";
import type { AskStart, NewChat, Sampling, Subject } from "./params/chats.ts";
import { absolute } from "./paths.ts";
import type { AskEvent, ChatTemplateView, SurpriseEvent, TurnSurprise } from "./shapes/chats.ts";
import type { ProgressEvent } from "../engine/events.ts";
import type { Stages } from "./stages.ts";
import type { Subjects } from "./subjects.ts";
import { templateOfAdapters } from "./template.ts";
import type { Weights } from "./weights.ts";

const longestTitle = 80;

export function askService({ store, engine, readers, changes, now }: Deps, stages: Stages, subjects: Subjects, weights: Weights) {
  /** Turns being answered by this process. */
  const answering = new Map<number, AbortController>();
  const inTurn = oneAtATime();

  function templateOf({ model, subjects: asked, template }: Pick<NewChat, "model" | "subjects" | "template">) {
    const adapters = asked.flatMap((subject) => subjects.adapterOf(subject, model) ?? []);
    if (template === "none") return { template, chatTemplate: null, warning: null };
    return templateOfAdapters(readers, model, adapters, template);
  }

  /** A row for a new conversation, checked but not yet kept. */
  function draft(given: NewChat, prompt: string): { chat: Omit<ConversationRow, "id" | "updatedMs">; warning: ErrorParts | null } {
    const model = absolute(given.model);
    stages.describe(model);
    const settled = given.subjects.map(subjects.settle).map((subject) => (subject.kind === "adapter" ? { ...subject, path: absolute(subject.path) } : subject));
    if (new Set(settled.map((subject) => JSON.stringify(subject))).size < settled.length) {
      throw new UserError({ what: "Two columns are the same model.", where: "chats.ask: subjects", fix: "Choose another model for one of them." });
    }
    if (given.isBlind && settled.length !== 2) {
      throw new UserError({ what: `A blind comparison is of two columns, not ${settled.length}.`, where: "chats.ask: subjects", fix: "Choose two columns, or leave the blind mode." });
    }
    const { template, chatTemplate, warning } = templateOf({ ...given, model, subjects: settled });
    const title = prompt.trim().replace(/\s+/g, " ").slice(0, longestTitle);
    return { chat: { title, modelPath: model, subjects: settled, template, chatTemplate, isBlind: given.isBlind, createdMs: now() }, warning };
  }

  function runJob<J extends AskJob | SurpriseJob>(job: J, options: Parameters<Engine["run"]>[1]): Promise<JobEnd<J>> {
    return inTurn<JobEnd<J>>(options.signal, () => engine.run(job, options), { type: "cancelled" });
  }

  /** The turns from the beginning to `last`. */
  function pathTo(chat: ConversationRow, last: number | null): TurnRow[] {
    const turns = new Map(store.turns.list(chat.id).map((turn) => [turn.id, turn]));
    const path: TurnRow[] = [];
    for (let id = last; id !== null; ) {
      const turn = turns.get(id);
      if (turn === undefined) throw new UserError({ what: `Turn ${id} is not of this conversation.`, where: "chats.ask: after", fix: "Open the conversation again." });
      path.unshift(turn);
      id = turn.parentId;
    }
    return path;
  }

  /** The columns in their places: each one's adapter and its own conversation up to the prompt of `turn`. */
  function columnsOf(chat: ConversationRow, turn: TurnRow): AskColumn[] {
    const before = pathTo(chat, turn.parentId);
    return turn.places.map((index) => {
      const subject = (chat.subjects as Subject[])[index]!;
      const said = before.flatMap(({ prompt, places, answers }) => {
        const own = answers[places.indexOf(index)];
        return own === undefined ? [] : [{ role: "user" as const, content: prompt }, { role: "assistant" as const, content: own.text }];
      });
      const system = turn.system.trim() === "" ? [] : [{ role: "system" as const, content: turn.system }];
      return { adapter: subjects.adapterOf(subject, chat.modelPath), messages: [...system, ...said, { role: "user" as const, content: turn.prompt }] };
    });
  }

  function begin(params: AskStart): { chat: ConversationRow; turn: TurnRow; warning: ErrorParts | null } {
    const { prompt, system, sampling, after } = params;
    const made = "id" in params.chat ? null : draft(params.chat, prompt);
    if (!("id" in params.chat) && after !== null) throw new UserError({ what: "A new conversation has no earlier turn.", where: "chats.ask: after", fix: "Leave it out." });
    return store.together(() => {
      const chat = mustFindChat(store, "id" in params.chat ? params.chat.id : store.conversations.add(made!.chat));
      stages.describe(chat.modelPath);
      pathTo(chat, after);
      const places = (chat.subjects as Subject[]).map((_, i) => i);
      if (chat.isBlind && randomInt(2) === 1) places.reverse();
      const id = store.turns.add({ conversationId: chat.id, parentId: after, prompt, system, sampling, places, createdMs: now() });
      const turn = store.turns.find(id)!;
      columnsOf(chat, turn); // whatever is not there any more is said before the engine is asked
      return { chat, turn, warning: made?.warning ?? null };
    });
  }

  return {
    /** Leaving the stream stops the answers; what was said until then is kept, as after `stop`. */
    ask(params: AskStart, callerSignal?: AbortSignal): AsyncGenerator<AskEvent> {
      return jobStream<AskEvent>(async (push, leftSignal) => {
        const { chat, turn, warning } = begin(params);
        const controller = new AbortController();
        answering.set(turn.id, controller);
        const signal = AbortSignal.any([controller.signal, leftSignal]);
        const sofar: StoredAnswer[] = turn.places.map(() => ({ text: "", ids: [], tokens: 0, stopped: "hand" }));
        let isKept = false;
        const keep = (answers: readonly StoredAnswer[], tokensPerSecond: number | null, prompt: string | null): void => {
          isKept = true;
          store.together(() => {
            store.turns.answer(turn.id, answers, tokensPerSecond);
            store.conversations.touch(chat.id, now());
          });
          changes.touch();
          push({ type: "done", chatId: chat.id, turn: turnView(chat, store.turns.find(turn.id)!), prompt: chat.isBlind ? null : prompt });
        };
        try {
          push({ type: "begun", chatId: chat.id, turn: turnView(chat, turn) });
          if (warning !== null) push({ type: "warning", warning });
          const { modelPath: model, template, chatTemplate } = chat;
          const sampling = turn.sampling as Sampling;
          const chosen = await weights.choose(model, sampling.width, { onProgress: (progress) => push({ type: "progress", progress }), onWarning: (found) => push({ type: "warning", warning: found }), signal });
          push({ type: "weights", weights: chosen.view });
          const job: AskJob = { kind: "ask", model, columns: columnsOf(chat, turn), template, chatTemplate, weights: chosen.settings, sampling };
          const end = await runJob(job, {
            signal,
            emit(event) {
              if (event.type === "token") {
                const answer = sofar[event.column]!;
                answer.text += event.text;
                answer.ids.push(event.id);
                answer.tokens += 1;
                push({ type: "token", column: event.column, text: event.text });
              }
              if (event.type === "column-ended") {
                sofar[event.column]!.stopped = event.stopped;
                push(event);
              }
              if (event.type === "progress") push({ type: "progress", progress: event });
              if (event.type === "warning") push(event);
            },
          });
          if (end.type === "cancelled" && sofar.some(({ tokens }) => tokens > 0)) return keep(sofar, null, null);
          if (end.type === "cancelled" && controller.signal.aborted) return; // stopped before the first token: nothing was said
          const { answers, tokensPerSecond, prompt } = resultOrThrow(end);
          keep(answers.map((answer) => ({ ...answer, tokens: answer.ids.length })), tokensPerSecond, prompt);
        } finally {
          answering.delete(turn.id);
          if (!isKept) {
            store.turns.remove(turn.id);
            store.conversations.removeEmpty(chat.id);
          }
        }
      }, callerSignal);
    },

    /** Ends a turn's answers where they are; its stream then ends as usual. */
    stop(turnId: number): void {
      answering.get(turnId)?.abort();
    },

    /** How prompts to these models would be written. */
    template(params: Pick<NewChat, "model" | "subjects" | "template">): ChatTemplateView {
      const model = absolute(params.model);
      stages.describe(model);
      const { template, chatTemplate, warning } = templateOf({ ...params, model });
      const text = template === "chat" ? (chatTemplate ?? readers.chatTemplateText(model)) : template === "alpaca" ? readers.alpacaText() : null;
      return { template, text, warning };
    },

    /** How surprised every model is by every token of a turn's answers; worked out once and kept. */
    surprise(turnId: number, callerSignal?: AbortSignal): AsyncGenerator<SurpriseEvent> {
      return jobStream<SurpriseEvent>(async (push, signal) => {
        const { chat, turn } = mustFindTurn(store, turnId);
        if (isHidden(chat, turn)) throw new UserError({ what: "The numbers would tell which model is which.", where: `chats.surprise: turn ${turnId}`, fix: "Vote first." });
        if (turn.surprise !== null) return push({ type: "done", surprise: turn.surprise as TurnSurprise });
        const columns = columnsOf(chat, turn).map((column, place) => ({ ...column, ids: turn.answers[place]?.ids ?? [] }));
        if (columns.every(({ ids }) => ids.length === 0)) {
          throw new UserError({ what: "The tokens of these answers were not kept.", where: `chats.surprise: turn ${turnId}`, fix: "Ask again: they are kept now." });
        }
        stages.describe(chat.modelPath);
        const { modelPath: model, template, chatTemplate } = chat;
        const onProgress = (progress: ProgressEvent): void => push({ type: "progress", progress });
        // Those that the answers were made with: the model is loaded with them already.
        const { settings } = await weights.choose(model, (turn.sampling as Sampling).width, { onProgress, onWarning: () => {}, signal });
        const end = await runJob({ kind: "surprise" as const, model, columns, template, chatTemplate, weights: settings }, {
          signal,
          emit: (event) => void (event.type === "progress" && onProgress(event)),
        });
        const { answers } = resultOrThrow(end);
        const surprise: TurnSurprise = { answers: answers.map(({ texts, nats }) => ({ texts, nats: bySubject(nats, turn.places) })) };
        store.turns.setSurprise(turnId, surprise);
        push({ type: "done", surprise });
      }, callerSignal);
    },
  };
}

/** Rows by place → rows by subject. */
function bySubject<T>(rows: readonly T[], places: readonly number[]): T[] {
  return rows.map((_, subject) => rows[places.indexOf(subject)]!);
}
