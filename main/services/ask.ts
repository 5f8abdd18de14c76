// Questions to base and tuned models side by side: one batch in the engine, every column streamed, the finished answers
// saved as a chat.

import { UserError, type ErrorParts } from "../../native-models/errors.ts";
import type { AskJob, AskResult } from "../engine/jobs.ts";
import type { Deps } from "./deps.ts";
import { resultOrThrow } from "./job-failure.ts";
import { jobStream } from "./job-stream.ts";
import type { AskStart } from "./params.ts";
import { absolute, requireThere } from "./paths.ts";
import type { AskEvent, ChatView } from "./shapes.ts";
import type { Stages } from "./stages.ts";
import { templateOfAdapters } from "./template.ts";

export function askService({ store, engine, readers, changes, now }: Deps, stages: Stages) {
  function jobOf(params: AskStart): { job: AskJob; warning: ErrorParts | null } {
    const model = absolute(params.model);
    stages.describe(model);
    const columns = params.columns.map(({ label, adapter }) => {
      if (adapter === null) return { label, adapter };
      const folder = absolute(adapter);
      requireThere(folder, `ask: adapter of "${label}"`);
      return { label, adapter: folder };
    });
    if (params.messages.at(-1)?.role !== "user") {
      throw new UserError({ what: "The last message is not the user's.", where: "ask: messages", fix: "End with a message of the role user." });
    }
    const asked = { kind: "ask", model, columns, messages: params.messages, sampling: params.sampling } as const;
    if (params.template === "none") return { job: { ...asked, template: "none" }, warning: null };
    const { template, chatTemplate, warning } = templateOfAdapters(readers, model, columns.flatMap(({ adapter }) => adapter ?? []), params.template);
    return { job: { ...asked, template, chatTemplate }, warning };
  }

  return {
    start(params: AskStart, callerSignal?: AbortSignal): AsyncGenerator<AskEvent> {
      return jobStream<AskEvent>(async (push, signal) => {
        const { job, warning } = jobOf(params);
        if (warning !== null) push({ type: "warning", warning });
        const end = await engine.run(job, {
          signal,
          emit(event) {
            if (event.type === "token") push(event);
            if (event.type === "progress") push({ type: "progress", progress: event });
            if (event.type === "warning") push(event);
          },
        });
        const result = resultOrThrow(end);
        const ask: AskStart = { ...params, model: job.model, columns: job.columns, template: job.template };
        const chatId = store.chats.add({ createdMs: now(), ask, answers: result.answers });
        changes.touch();
        push({ type: "done", result, chatId });
      }, callerSignal);
    },

    saved: (limit: number): ChatView[] =>
      store.chats.newest(limit).map((row) => ({ ...row, ask: row.ask as AskStart, answers: row.answers as AskResult["answers"] })),

    forget(id: number): void {
      if (store.chats.remove(id)) return changes.touch();
      throw new UserError({ what: `There is no saved answer ${id}.`, where: "ask.forget: id", fix: "ask.saved lists those that are there." });
    },
  };
}
