// The conversation in view: asked, streamed in one batch, stopped, asked again or otherwise, voted on.

import { errorParts } from "../../main/rpc/client.ts";
import { askParams, type AnswerView, type AskEvent, type AskStartInput, type ChatDetail, type ErrorParts, type ProgressEvent, type TurnView, type Verdict, type VoteTally, type WeightsView } from "../../main/rpc/contract.ts";
import { issuesByField } from "../draw/form.ts";
import type { ShadedBy } from "../draw/surprise.ts";
import { newestLeaf, pathTo, siblings } from "../draw/turns.ts";
import type { ChatsState } from "./chats.svelte.ts";
import { ColumnsState } from "./columns.svelte.ts";
import type { Connection, Problem } from "./connection.svelte.ts";
import type { Notices } from "./notices.svelte.ts";
import type { RunsState } from "./runs.svelte.ts";
import { SurpriseState } from "./surprise.svelte.ts";

/** An answer as it grows: `stopped` is null until it has ended. */
export type LiveAnswer = Omit<AnswerView, "stopped"> & { stopped: AnswerView["stopped"] | null };

export const samplingDefaults = askParams.shape.sampling.parse({});
/** What "drawn" means before anybody changes it. */
export const drawnDefaults = { temperature: 0.7, topP: 0.95 };

export class CompareState {
  readonly columns: ColumnsState;
  readonly surprise: SurpriseState;
  prompt = $state("");
  system = $state("");
  sampling = $state({ ...samplingDefaults });
  marks = $state<"differences" | "surprise" | "none">("differences");
  /** What stands beside the conversation where there is no room for both. */
  side = $state<"chats" | "settings">("chats");
  shadedBy = $state<ShadedBy>("other");
  /** Null before the first answer of a new conversation. */
  chat = $state.raw<ChatDetail | null>(null);
  /** The conversation that is being read. */
  openingId = $state<number | null>(null);
  #leaf = $state<number | null>(null);
  /** The answers of the turn that is being answered. */
  live = $state.raw<{ turnId: number; answers: readonly LiveAnswer[] } | null>(null);
  status = $state<"idle" | "waiting" | "answering">("idle");
  progress = $state.raw<ProgressEvent | null>(null);
  tokensPerSecond = $state<number | null>(null);
  /** What the answers are computed with; null before the first one. */
  weights = $state.raw<WeightsView | null>(null);
  warnings = $state.raw<readonly ErrorParts[]>([]);
  problem = $state.raw<Problem | null>(null);
  /** What the model in the first column saw of the last prompt; null in a blind conversation. */
  seen = $state<string | null>(null);
  tallies = $state.raw<readonly VoteTally[]>([]);
  #connection: Connection;
  #notices: Notices;
  #chats: ChatsState;
  #controller: AbortController | null = null;
  #firstTokenMs = 0;
  isBusy = $derived(this.status !== "idle");
  /** From the first turn to the one in view. */
  path = $derived(pathTo(this.chat?.turns ?? [], this.#leaf));
  /** The runs among the columns, whose votes are counted. */
  votedRuns = $derived.by(() => [...new Set(this.columns.list.flatMap(({ subject }) => (subject.kind === "run" ? [subject.runId] : [])))]);
  wrong = $derived.by(() => {
    const checked = askParams.shape.sampling.safeParse(this.sampling);
    return checked.success ? {} : issuesByField(checked.error.issues);
  });
  canAsk = $derived.by(() => !this.isBusy && Object.keys(this.wrong).length === 0 && this.columns.problem === null && this.columns.model !== null);

  constructor(connection: Connection, notices: Notices, runs: RunsState, chats: ChatsState) {
    this.#connection = connection;
    this.#notices = notices;
    this.#chats = chats;
    this.columns = new ColumnsState(connection, runs);
    this.surprise = new SurpriseState(connection);
  }

  /** A new conversation with the same settings. */
  begin(): void {
    if (this.isBusy) return;
    Object.assign(this, { chat: null, openingId: null, live: null, warnings: [], problem: null, tokensPerSecond: null, seen: null });
    this.#leaf = null;
  }

  /** A change of what all turns share is a new conversation. */
  change(set: (columns: ColumnsState) => void): void {
    if (this.isBusy) return;
    this.begin();
    set(this.columns);
  }

  /** Shows a saved conversation, at its newest turn. */
  async open(id: number): Promise<void> {
    if (this.isBusy || this.openingId === id) return;
    this.begin();
    this.openingId = id;
    try {
      const chat = await this.#connection.calls.chats.show({ id });
      if (this.openingId !== id) return;
      this.#show(chat);
      const last = chat.turns.at(-1);
      if (last !== undefined) Object.assign(this, { system: last.system, sampling: { ...samplingDefaults, ...last.sampling } }); // turns of before say no width
    } catch (error) {
      if (this.openingId === id) this.problem = errorParts(error);
    } finally {
      if (this.openingId === id) this.openingId = null;
    }
  }

  #show(chat: ChatDetail): void {
    const turns = chat.turns.filter(({ answers }) => answers.length > 0); // one that was never answered is an interrupted one
    this.chat = { ...chat, turns };
    this.#leaf = turns.at(-1)?.id ?? null;
    this.columns.takeFrom(chat);
  }

  /** The next turn; settles when it has been answered, was stopped or failed. */
  async ask(prompt = this.prompt.trim()): Promise<void> {
    if (!this.canAsk || prompt.trim() === "") return;
    if (this.prompt.trim() === prompt) this.prompt = "";
    await this.#run(prompt, this.#leaf);
  }

  /** The same prompt with another seed and the settings as they are now, beside the answers that are there. */
  async again(turn: TurnView): Promise<void> {
    if (!this.canAsk) return;
    if (this.sampling.temperature > 0) this.sampling.seed = Math.floor(Math.random() * 2 ** 31);
    await this.#run(turn.prompt, turn.parentId);
  }

  /** Whether asking again could give more than is there: the likeliest tokens are always the same. */
  canDiffer({ sampling, system, answers }: TurnView): boolean {
    const isSame = system === this.system && JSON.stringify({ ...sampling, seed: 0 }) === JSON.stringify({ ...this.sampling, seed: 0 });
    return this.sampling.temperature > 0 || !isSame || answers.some(({ hasTokens }) => !hasTokens);
  }

  /** Another prompt in the place of a turn's: the conversation branches there. */
  async edit(turn: TurnView, prompt: string): Promise<void> {
    if (this.canAsk && prompt.trim() !== "") await this.#run(prompt.trim(), turn.parentId);
  }

  /** Ends the answers where they are. */
  stop(): void {
    const turnId = this.live?.turnId;
    if (turnId === undefined) return this.#controller?.abort();
    this.#connection.calls.chats.stop({ turnId }).catch((error: unknown) => this.#notices.fail("The answers were not stopped.", error));
  }

  /** Shows the turn before or after among those with the same parent. */
  step(turn: TurnView, by: -1 | 1): void {
    const { turns } = this.chat ?? { turns: [] };
    const all = siblings(turns, turn);
    const next = all[all.indexOf(turn) + by];
    if (next !== undefined && !this.isBusy) this.#leaf = newestLeaf(turns, next).id;
  }

  async vote(turn: TurnView, verdict: Verdict): Promise<void> {
    try {
      this.#put(await this.#connection.calls.chats.vote({ turnId: turn.id, verdict }));
      await this.loadTallies();
    } catch (error) {
      this.#notices.fail("The vote was not counted.", error);
    }
  }

  /** Inside an $effect, or after a vote. */
  async loadTallies(): Promise<void> {
    const { client } = this.#connection;
    const runIds = this.votedRuns;
    if (client === null) return;
    try {
      this.tallies = (await Promise.all(runIds.map((runId) => client.chats.tallies({ runId })))).flat();
    } catch {
      this.tallies = []; // the connection is lost: the banner says so
    }
  }

  async resetVotes(runId: number): Promise<void> {
    try {
      await this.#connection.calls.chats.resetVotes({ runId });
      await this.loadTallies();
    } catch (error) {
      this.#notices.fail("The votes were not reset.", error);
    }
  }

  async #run(prompt: string, after: number | null): Promise<void> {
    const before = this.#leaf;
    const { chat, columns } = this;
    const { model, list, template, isBlind } = columns;
    if (model === null) return;
    const place: AskStartInput["chat"] = chat === null ? { model, subjects: list.map(({ subject }) => subject), template, isBlind } : { id: chat.id };
    Object.assign(this, { status: "waiting", live: null, progress: null, tokensPerSecond: null, warnings: [], problem: null, seen: null });
    const controller = new AbortController();
    this.#controller = controller;
    let isKept = false;
    try {
      const input: AskStartInput = { chat: place, after, prompt, system: this.system, sampling: { ...this.sampling } };
      for await (const event of await this.#connection.calls.chats.ask(input, { signal: controller.signal })) {
        await this.#take(event);
        isKept ||= event.type === "done";
      }
    } catch (error) {
      if (!controller.signal.aborted) this.problem = errorParts(error);
    } finally {
      if (!isKept) this.#takeBack(prompt, before);
      Object.assign(this, { status: "idle", live: null });
      this.#controller = null;
      void this.#chats.load();
    }
  }

  /** What was not answered is not part of the conversation; its prompt goes back to where it can be sent again. */
  #takeBack(prompt: string, leaf: number | null): void {
    const turns = this.chat?.turns.filter(({ id }) => id !== this.live?.turnId) ?? [];
    this.chat = this.chat === null || turns.length === 0 ? null : { ...this.chat, turns };
    this.#leaf = leaf;
    if (this.prompt.trim() === "") this.prompt = prompt;
  }

  async #take(event: AskEvent): Promise<void> {
    if (event.type === "begun") {
      const empty: LiveAnswer = { text: "", tokens: 0, stopped: null, hasTokens: false };
      this.live = { turnId: event.turn.id, answers: this.columns.list.map(() => empty) };
      if (this.chat === null) this.chat = { ...(await this.#connection.calls.chats.show({ id: event.chatId })), turns: [] };
      this.#put(event.turn);
      this.#leaf = event.turn.id;
    } else if (event.type === "progress") {
      this.progress = event.progress;
    } else if (event.type === "weights") {
      this.weights = event.weights;
    } else if (event.type === "warning") {
      this.warnings = [...this.warnings, event.warning];
    } else if (event.type === "token") {
      this.#change(event.column, ({ text, tokens }) => ({ text: text + event.text, tokens: tokens + 1 }));
    } else if (event.type === "column-ended") {
      this.#change(event.column, () => ({ stopped: event.stopped }));
    } else {
      this.tokensPerSecond = event.turn.tokensPerSecond;
      this.seen = event.prompt;
      this.#put(event.turn);
    }
  }

  #put(turn: TurnView): void {
    if (this.chat === null) return;
    const turns = [...this.chat.turns.filter(({ id }) => id !== turn.id), turn].toSorted((a, b) => a.id - b.id);
    this.chat = { ...this.chat, turns };
  }

  /** A column's answer grows or ends. */
  #change(column: number, change: (answer: LiveAnswer) => Partial<LiveAnswer>): void {
    if (this.live === null) return;
    if (this.status === "waiting") {
      this.status = "answering";
      this.#firstTokenMs = performance.now();
    }
    const answers = this.live.answers.map((answer, i) => (i === column ? { ...answer, ...change(answer) } : answer));
    this.live = { ...this.live, answers };
    const elapsedMs = performance.now() - this.#firstTokenMs;
    const tokens = answers.reduce((sum, answer) => sum + answer.tokens, 0);
    if (elapsedMs > 500) this.tokensPerSecond = (tokens * 1000) / elapsedMs;
  }
}
