// nullspace ask: one prompt, answered by the base and tuned models side by side, alone or as the next turn of a conversation.

import type { Command } from "commander";
import { UserError } from "../../../native-models/errors.ts";
import type { AskEvent, AskStartInput, ChatDetail, Client, Subject, TurnSurprise, TurnView } from "../../rpc/contract.ts";
import type { Context } from "../context.ts";
import type { templates } from "../../services/params/defaults.ts";
import { command, whole } from "../options.ts";
import { templateOption } from "../row-options.ts";
import { runStateHelp, runSubject, type RunSubject } from "../run-subject.ts";
import { addSamplingOptions, samplingOf, type SamplingOptions } from "../sampling-options.ts";
import { sideBySide } from "../side-by-side.ts";
import { table } from "../tables.ts";

interface Options extends SamplingOptions {
  model?: string;
  adapter: string[];
  run: RunSubject[];
  chat?: number;
  system: string;
  template: (typeof templates)[number];
  surprise?: true;
}

export function make(context: Context): Command {
  const ask = command("ask", "Answers a prompt with the base model and, with adapters or runs, with the tuned models beside it. The answers are kept as a conversation.")
    .option("--model <DIR>", "model folder; not needed with --run or --chat")
    .option("--run <ID[@STATE]>", `a run beside the base; ${runStateHelp}; repeat it for more columns`, (text: string, before: RunSubject[]) => [...before, runSubject(text)], [])
    .option("--adapter <DIR>", "PEFT folder of a tuned model beside the base; repeat it for more columns", (dir: string, before: string[]) => [...before, dir], [])
    .option("--chat <ID>", "go on with a conversation, after its last turn", whole)
    .option("--system <TEXT>", "system prompt", "")
    .option("--surprise", "also tell how surprised each model is by each answer, in nats a token")
    .addOption(templateOption("how the prompt is written; auto: as the adapter was trained, else the model's own"));
  return addSamplingOptions(ask)
    .argument("<PROMPT>", "what to ask")
    .action(async (prompt: string, options: Options) => {
      const client = context.client();
      const params: AskStartInput = { ...(await placeOf(client, options)), prompt, system: options.system, sampling: samplingOf(options) };
      const end = await answered(context, await client.chats.ask(params, { signal: context.signal }));
      context.signal.throwIfAborted();
      const chat = await client.chats.show({ id: end.chatId });
      const surprise = options.surprise === true ? await surpriseOf(context, end.turn.id) : null;
      const answers = end.turn.answers.map((answer, i) => ({ label: chat.subjects[i]!.label, ...answer }));
      context.print({ chatId: end.chatId, answers, turn: end.turn, ...(surprise === null ? {} : { surprise }) }, textOf(chat, end.turn, surprise));
    });
}

/** The conversation that the prompt belongs to, and the turn it follows. */
async function placeOf(client: Client, { model, run, adapter, chat, template }: Options): Promise<Pick<AskStartInput, "chat" | "after">> {
  if (chat !== undefined) {
    if (model !== undefined || run.length + adapter.length > 0) {
      throw new UserError({ what: "A conversation has its models already.", where: "ask: --chat", fix: "Leave out --model, --run and --adapter, or ask without --chat." });
    }
    const { turns } = await client.chats.show({ id: chat });
    return { chat: { id: chat }, after: turns.at(-1)?.id ?? null };
  }
  const [first] = run;
  if (model === undefined && first === undefined) throw new UserError({ what: "No model is named.", where: "ask: --model", fix: "Give --model, --run or --chat." });
  const base = model ?? (await client.runs.show({ id: first!.runId })).modelPath;
  const subjects: Subject[] = [{ kind: "base" }, ...run, ...adapter.map((path) => ({ kind: "adapter" as const, path }))];
  return { chat: { model: base, subjects, template } };
}

async function answered(context: Context, events: AsyncIterable<AskEvent>): Promise<Extract<AskEvent, { type: "done" }>> {
  let streams = false;
  for await (const event of events) {
    if (event.type === "begun") streams = event.turn.places?.length === 1; // two columns cannot grow side by side in a terminal
    else if (event.type === "progress") context.progress.show(event.progress);
    else if (event.type === "warning") context.note(`Warning: ${event.warning.what} ${event.warning.fix}`);
    else if (event.type === "weights") context.note(event.weights.words);
    else if (event.type === "token" && streams) context.write(event.text);
    else if (event.type === "done") return event;
  }
  context.signal.throwIfAborted();
  throw new Error("The answers ended without a result");
}

async function surpriseOf(context: Context, turnId: number): Promise<TurnSurprise> {
  for await (const event of await context.client().chats.surprise({ turnId }, { signal: context.signal })) {
    if (event.type === "progress") context.progress.show(event.progress);
    else return event.surprise;
  }
  context.signal.throwIfAborted();
  throw new Error("The surprise ended without a result");
}

function textOf({ subjects }: ChatDetail, { answers }: TurnView, surprise: TurnSurprise | null): string {
  const columns = answers.map(({ text }, i) => ({ title: subjects[i]!.label, text: text.trim() }));
  const [left, right] = columns;
  const said = columns.length === 1 ? "" : columns.length === 2 ? sideBySide(left!, right!, process.stdout.columns ?? 100) : columns.map(({ title, text }) => `--- ${title}\n${text}`).join("\n\n");
  if (surprise === null) return said;
  const mean = (nats: readonly number[]) => (nats.length === 0 ? "" : (nats.reduce((sum, value) => sum + value, 0) / nats.length).toFixed(3));
  const rows = surprise.answers.map(({ nats }, i) => [subjects[i]!.label, ...nats.map(mean)]);
  return `${said}\n\nSurprise, nats a token\n${table(["answer of", ...subjects.map(({ label }) => `under ${label}`)], rows)}`;
}
