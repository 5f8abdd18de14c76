// What a new conversation is set up with: base model, columns, blind or not, template. What is not chosen by hand follows
// the runs that are there.

import { errorParts } from "../../main/rpc/client.ts";
import { mostColumns, type ChatDetail, type ChatTemplateView, type Subject, type SubjectView } from "../../main/rpc/contract.ts";
import type { Connection, Problem } from "./connection.svelte.ts";
import type { RunsState } from "./runs.svelte.ts";

export type TemplateChoice = "auto" | "chat" | "alpaca" | "none";

/** A subject as one word, for a select. */
export const keyOf = (subject: Subject): string => JSON.stringify(subject);

const base: SubjectView = { subject: { kind: "base" }, label: "Base", about: "the model as it was" };

export class ColumnsState {
  /** The run that the page was opened for. */
  runId = $state<number | null>(null);
  template = $state<TemplateChoice>("auto");
  #wantsBlind = $state(false);
  #model = $state<string | null>(null);
  #picked = $state.raw<readonly SubjectView[] | null>(null);
  #choices = $state.raw<{ model: string; list: readonly SubjectView[] } | null>(null);
  /** How prompts would be written; null until that is known. */
  prompts = $state.raw<ChatTemplateView | null>(null);
  problem = $state.raw<Problem | null>(null);
  #connection: Connection;
  #runs: RunsState;

  /** Base models that have something to compare. */
  models = $derived.by(() => {
    const found = new Map(this.#runs.askable.map(({ modelPath, modelName }) => [modelPath, modelName]));
    if (this.#model !== null && !found.has(this.#model)) found.set(this.#model, this.#model);
    return [...found].map(([path, name]) => ({ path, name }));
  });
  model = $derived.by(() => this.#model ?? this.#runs.askable.find(({ id }) => id === this.runId)?.modelPath ?? this.models[0]?.path ?? null);
  /** Everything that can be asked, and what is chosen though it is no longer there. */
  choices = $derived.by(() => {
    const there = this.#choices?.model === this.model ? this.#choices.list : [base];
    const known = new Set(there.map(({ subject }) => keyOf(subject)));
    return [...there, ...(this.#picked ?? []).filter(({ subject }) => !known.has(keyOf(subject)))];
  });
  /** From left to right. */
  list = $derived.by((): readonly SubjectView[] => {
    if (this.#picked !== null) return this.#picked;
    const tuned = this.choices.filter(({ subject }) => subject.kind === "run");
    const wanted = tuned.find(({ subject }) => subject.kind === "run" && subject.runId === this.runId) ?? tuned[0];
    return wanted === undefined ? [base] : [base, wanted];
  });
  canAdd = $derived(this.list.length < mostColumns && this.#unused() !== null);
  /** Only two columns can be told apart by a vote. */
  canBeBlind = $derived(this.list.length === 2);
  isBlind = $derived(this.#wantsBlind && this.canBeBlind);

  constructor(connection: Connection, runs: RunsState) {
    this.#connection = connection;
    this.#runs = runs;
  }

  /** Inside an $effect: the choices, read anew as runs get adapters and checkpoints. */
  followChoices(): () => void {
    const { client } = this.#connection;
    const { model } = this;
    void this.#runs.askable.map(({ id, adapter, lastCheckpointStep }) => `${id} ${adapter} ${lastCheckpointStep}`).join();
    let isOver = false;
    if (client !== null && model !== null) {
      client.chats.choices({ model }).then(
        (list) => {
          if (!isOver) this.#choices = { model, list };
        },
        (error: unknown) => {
          if (!isOver) this.problem = errorParts(error);
        },
      );
    }
    return () => {
      isOver = true;
    };
  }

  /** Inside an $effect: how prompts to the chosen models would be written, or why they cannot be asked. */
  followTemplate(): () => void {
    const { client } = this.#connection;
    const { model, template } = this;
    const subjects = this.list.map(({ subject }) => subject);
    let isOver = false;
    const settle = (prompts: ChatTemplateView | null, problem: Problem | null): void => {
      if (!isOver) Object.assign(this, { prompts, problem });
    };
    if (client !== null && model !== null) {
      client.chats.template({ model, subjects, template }).then((view) => settle(view, null), (error: unknown) => settle(null, errorParts(error)));
    }
    return () => {
      isOver = true;
    };
  }

  chooseModel(path: string): void {
    this.#model = path;
    this.#picked = null;
    this.runId = null;
  }

  choose(column: number, key: string): void {
    const chosen = this.choices.find(({ subject }) => keyOf(subject) === key);
    if (chosen === undefined) return;
    const before = this.list[column]!;
    // A model that is in another column changes places with it.
    this.#picked = this.list.map((view, i) => (i === column ? chosen : keyOf(view.subject) === key ? before : view));
  }

  add(): void {
    const next = this.#unused();
    if (next !== null) this.#picked = [...this.list, next];
  }

  remove(column: number): void {
    this.#picked = this.list.filter((_, i) => i !== column);
  }

  chooseBlind(isBlind: boolean): void {
    this.#wantsBlind = isBlind;
  }

  /** Begins anew with the base and this run. */
  showRun(runId: number): void {
    Object.assign(this, { runId });
    this.#picked = null;
    this.#model = null;
  }

  /** Stands as a saved conversation does. */
  takeFrom({ modelPath, subjects, isBlind }: ChatDetail): void {
    this.#model = modelPath;
    this.#picked = subjects;
    this.#wantsBlind = isBlind;
    this.template = "auto";
  }

  #unused(): SubjectView | null {
    const used = new Set(this.list.map(({ subject }) => keyOf(subject)));
    return this.choices.find(({ subject }) => !used.has(keyOf(subject))) ?? null;
  }
}
