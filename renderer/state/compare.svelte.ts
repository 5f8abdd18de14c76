// One prompt answered by the base and the tuned model side by side, streamed in one batch.

import { errorParts } from "../../main/rpc/client.ts";
import type { AskEvent, ChatView, ErrorParts, ProgressEvent, RunSummary } from "../../main/rpc/contract.ts";
import { askParams, type AskStartInput } from "../../main/rpc/contract.ts";
import { issuesByField } from "../draw/form.ts";
import type { Connection, Problem } from "./connection.svelte.ts";
import type { Notices } from "./notices.svelte.ts";

export interface Answer {
  label: string;
  text: string;
  tokens: number;
  stopped: "eos" | "length" | "hand" | null;
}

const savedAtOnce = 100;

export const samplingDefaults = askParams.shape.sampling.parse({});

export class CompareState {
  runId = $state<number | null>(null);
  prompt = $state("");
  sampling = $state({ ...samplingDefaults });
  answers = $state.raw<readonly Answer[]>([]);
  /** The prompt that the answers belong to. */
  asked = $state<string | null>(null);
  status = $state<"idle" | "waiting" | "answering">("idle");
  progress = $state.raw<ProgressEvent | null>(null);
  tokensPerSecond = $state<number | null>(null);
  warnings = $state.raw<readonly ErrorParts[]>([]);
  problem = $state.raw<Problem | null>(null);
  /** Earlier questions with both answers, newest first. */
  saved = $state.raw<readonly ChatView[]>([]);
  /** The saved question in view; null for one that was just asked. */
  openId = $state<number | null>(null);
  #connection: Connection;
  #notices: Notices;
  #controller: AbortController | null = null;
  #firstTokenMs = 0;
  isBusy = $derived(this.status !== "idle");
  wrong = $derived.by(() => {
    const checked = askParams.shape.sampling.safeParse(this.sampling);
    return checked.success ? {} : issuesByField(checked.error.issues);
  });

  constructor(connection: Connection, notices: Notices) {
    this.#connection = connection;
    this.#notices = notices;
  }

  /** Inside an $effect: the saved questions, asked for anew with each connection. */
  async loadSaved(): Promise<void> {
    const { client } = this.#connection;
    if (client === null) return;
    const chats = await client.ask.saved({ limit: savedAtOnce });
    this.saved = chats.filter(({ answers }) => answers.length === 2); // one column is no comparison
  }

  /** Shows a saved question with its answers. */
  open(chat: ChatView): void {
    if (this.isBusy) return;
    const prompt = chat.ask.messages.findLast(({ role }) => role === "user")?.content ?? "";
    Object.assign(this, { openId: chat.id, prompt, asked: prompt, answers: chat.answers, tokensPerSecond: null, warnings: [], problem: null });
    Object.assign(this.sampling, chat.ask.sampling);
  }

  /** Gone at once, and for good once nobody took it back. */
  forget(chat: ChatView): void {
    const before = this.saved;
    this.saved = before.filter(({ id }) => id !== chat.id);
    if (this.openId === chat.id) this.openId = null;
    const takeBack = (): void => {
      this.saved = [...this.saved, chat].toSorted((a, b) => b.id - a.id);
    };
    this.#notices.say("The saved answers will be deleted.", {
      action: { label: "Undo", run: takeBack },
      onGone: () => {
        void this.#connection.calls.ask.forget({ id: chat.id }).catch((error: unknown) => {
          takeBack();
          this.#notices.fail("The saved answers were not deleted.", error);
        });
      },
    });
  }

  /** Asks both; settles when they have answered, were stopped or failed. */
  async ask(run: RunSummary, prompt = this.prompt.trim()): Promise<void> {
    if (this.isBusy || prompt === "" || run.adapter === null) return;
    const columns = [
      { label: "Base", adapter: null },
      { label: "Tuned", adapter: run.adapter },
    ];
    this.answers = columns.map(({ label }) => ({ label, text: "", tokens: 0, stopped: null }));
    Object.assign(this, { openId: null, asked: prompt, status: "waiting", progress: null, tokensPerSecond: null, warnings: [], problem: null });
    const controller = new AbortController();
    this.#controller = controller;
    const input: AskStartInput = { model: run.modelPath, columns, messages: [{ role: "user", content: prompt }], sampling: { ...this.sampling } };
    try {
      for await (const event of await this.#connection.calls.ask.start(input, { signal: controller.signal })) {
        if (controller.signal.aborted) break;
        this.#take(event);
      }
    } catch (error) {
      if (!controller.signal.aborted) this.problem = errorParts(error);
    } finally {
      if (controller.signal.aborted) this.answers = this.answers.map((answer) => ({ ...answer, stopped: answer.stopped ?? "hand" }));
      this.status = "idle";
      this.#controller = null;
    }
  }

  stop(): void {
    this.#controller?.abort();
  }

  #take(event: AskEvent): void {
    if (event.type === "progress") {
      this.progress = event.progress;
    } else if (event.type === "warning") {
      this.warnings = [...this.warnings, event.warning];
    } else if (event.type === "token") {
      this.#addToken(event.column, event.text);
    } else {
      this.tokensPerSecond = event.result.tokensPerSecond;
      this.answers = event.result.answers;
      this.openId = event.chatId;
      this.loadSaved().catch(() => {}); // the answers are in view; the list comes with the next look
    }
  }

  #addToken(column: number, text: string): void {
    if (this.status === "waiting") {
      this.status = "answering";
      this.#firstTokenMs = performance.now();
    }
    this.answers = this.answers.map((answer, i) => (i === column ? { ...answer, text: answer.text + text, tokens: answer.tokens + 1 } : answer));
    const elapsedMs = performance.now() - this.#firstTokenMs;
    const tokens = this.answers.reduce((sum, answer) => sum + answer.tokens, 0);
    if (elapsedMs > 500) this.tokensPerSecond = (tokens * 1000) / elapsedMs;
  }
}
