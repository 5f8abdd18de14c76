// The contract on the services. Every call passes the same two borders: errors become the contract's USER or BUG, and a
// stream is one too. Transports carry bytes and nothing else.

import { createRouterClient, implement, ORPCError, ValidationError } from "@orpc/server";
import { randomUUID } from "node:crypto";
import { UserError } from "../../native-models/errors.ts";
import type { Services } from "../services/app.ts";
import { JobCancelled, JobFailure } from "../services/job-failure.ts";
import { contract, type Client } from "./contract.ts";

export interface RouterDeps {
  services: Services;
  /** Bugs, with the id that the caller was given. */
  log: (text: string) => void;
}

export type Router = ReturnType<typeof makeRouter>;

export function makeRouter({ services, log }: RouterDeps) {
  const toRpcError = (error: unknown): ORPCError<string, unknown> => asRpcError(error, log);

  const os = implement(contract).use(async ({ next, path }) => {
    try {
      return await next();
    } catch (error) {
      throw toRpcError(withPath(error, path));
    }
  });

  async function* stream<T>(events: AsyncGenerator<T>): AsyncGenerator<T, void, void> {
    try {
      yield* events;
    } catch (error) {
      throw toRpcError(error);
    }
  }

  const { models, sampleModel, demo, data, runs, stages, probe, chats, files, cache, settings, system } = services;
  return os.router({
    models: {
      scan: os.models.scan.handler(({ input }) => models.scan(input.dir)),
      list: os.models.list.handler(() => models.list()),
      addFolder: os.models.addFolder.handler(({ input }) => models.addFolder(input.path)),
      removeFolder: os.models.removeFolder.handler(({ input }) => models.removeFolder(input.id)),
      follow: os.models.follow.handler(({ signal }) => stream(models.follow(signal))),
      fetchSample: os.models.fetchSample.handler(({ signal }) => stream(sampleModel.fetch(signal))),
    },
    demo: { start: os.demo.start.handler(({ input }) => demo.start(input.model)) },
    data: {
      previewQuestions: os.data.previewQuestions.handler(({ input, signal }) => data.previewQuestions(input, signal)),
      previewRows: os.data.previewRows.handler(({ input, signal }) => stream(data.previewRows(input, signal))),
    },
    runs: {
      start: os.runs.start.handler(({ input }) => runs.start(input)),
      estimate: os.runs.estimate.handler(({ input, signal }) => runs.estimate(input, signal)),
      list: os.runs.list.handler(({ input }) => runs.list(input.limit)),
      followList: os.runs.followList.handler(({ input, signal }) => stream(runs.followList(input.limit, signal))),
      show: os.runs.show.handler(({ input }) => runs.show(input.id)),
      points: os.runs.points.handler(({ input }) => runs.points(input)),
      follow: os.runs.follow.handler(({ input, signal }) => stream(runs.follow(input, signal))),
      startReport: os.runs.startReport.handler(({ input, signal }) => stream(runs.startReport(input.id, signal))),
      cancel: os.runs.cancel.handler(({ input }) => runs.cancel(input.id)),
      resume: os.runs.resume.handler(({ input }) => runs.resume(input.id)),
      delete: os.runs.delete.handler(({ input }) => runs.delete(input.id)),
    },
    stages: {
      calibrate: os.stages.calibrate.handler(({ input, signal }) => stream(stages.calibrate(input, signal))),
      calibrateTask: os.stages.calibrateTask.handler(({ input, signal }) => stream(stages.calibrateTask(input, signal))),
      init: os.stages.init.handler(({ input, signal }) => stream(stages.init(input, signal))),
      report: os.stages.report.handler(({ input, signal }) => stream(stages.report(input, signal))),
      train: os.stages.train.handler(({ input }) => stages.train(input)),
    },
    probe: {
      start: os.probe.start.handler(({ input }) => probe.start(input)),
      list: os.probe.list.handler(({ input }) => probe.list(input.limit)),
      follow: os.probe.follow.handler(({ input, signal }) => stream(probe.follow(input.id, signal))),
      answers: os.probe.answers.handler(({ input }) => probe.answers(input)),
      countAnswers: os.probe.countAnswers.handler(({ input }) => probe.countAnswers(input)),
      exportAnswers: os.probe.exportAnswers.handler(({ input, signal }) => stream(probe.exportAnswers(input, signal))),
      cancel: os.probe.cancel.handler(({ input }) => probe.cancel(input.id)),
    },
    chats: {
      ask: os.chats.ask.handler(({ input, signal }) => stream(chats.ask(input, signal))),
      stop: os.chats.stop.handler(({ input }) => chats.stop(input.turnId)),
      choices: os.chats.choices.handler(({ input }) => chats.choices(input.model)),
      template: os.chats.template.handler(({ input }) => chats.template(input)),
      list: os.chats.list.handler(({ input }) => chats.list(input.search, input.limit)),
      show: os.chats.show.handler(({ input }) => chats.show(input.id)),
      rename: os.chats.rename.handler(({ input }) => chats.rename(input.id, input.title)),
      forget: os.chats.forget.handler(({ input }) => chats.forget(input.id)),
      export: os.chats.export.handler(({ input }) => chats.export(input.id, input.format)),
      surprise: os.chats.surprise.handler(({ input, signal }) => stream(chats.surprise(input.turnId, signal))),
      vote: os.chats.vote.handler(({ input }) => chats.votes.vote(input.turnId, input.verdict)),
      tallies: os.chats.tallies.handler(({ input }) => chats.votes.tallies(input.runId)),
      resetVotes: os.chats.resetVotes.handler(({ input }) => chats.votes.reset(input.runId)),
    },
    files: { list: os.files.list.handler(({ input }) => files.list(input.dir)) },
    cache: { list: os.cache.list.handler(() => cache.list()), clear: os.cache.clear.handler(({ input }) => cache.clear(input.kind)) },
    settings: {
      get: os.settings.get.handler(() => settings.get()),
      set: os.settings.set.handler(({ input }) => settings.set(input)),
    },
    system: { info: os.system.info.handler(() => system.info()) },
  });
}

/** The same calls within this process, for the command line and tests. */
export function localClient(router: Router): Client {
  return createRouterClient(router, {});
}

/** Params that the schema refuses: the field and what is wrong with it, as a user error. */
function withPath(error: unknown, path: readonly string[]): unknown {
  if (!(error instanceof ORPCError) || error.code !== "BAD_REQUEST" || !(error.cause instanceof ValidationError)) return error;
  const [issue] = error.cause.issues;
  if (issue === undefined) return error;
  const field = (issue.path ?? []).map((key) => String(typeof key === "object" ? key.key : key)).join(".");
  return new UserError({
    what: `${issue.message}.`.replace(/\.\.$/, "."),
    where: `${path.join(".")}${field === "" ? "" : `: ${field}`}`,
    fix: field === "" ? "Check the parameters." : `Give another value for ${field}.`,
  });
}

function asRpcError(error: unknown, log: (text: string) => void): ORPCError<string, unknown> {
  if (error instanceof ORPCError) return error;
  if (error instanceof UserError) return new ORPCError("USER", { status: 422, message: error.what, data: error.parts });
  if (error instanceof JobFailure && !error.parts.isBug) {
    const { what, where, fix } = error.parts;
    return new ORPCError("USER", { status: 422, message: what, data: { what, where, fix } });
  }
  if (error instanceof JobCancelled || (error instanceof Error && error.name === "AbortError")) {
    return new ORPCError("CLIENT_CLOSED_REQUEST", { status: 499, message: "Cancelled" });
  }
  const bugId = randomUUID().slice(0, 8);
  log(`bug ${bugId}: ${error instanceof Error ? error.stack : String(error)}\n`);
  return new ORPCError("BUG", { status: 500, message: error instanceof Error ? error.message : String(error), data: { bugId } });
}
