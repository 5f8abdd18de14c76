// What a command is given: the contract's calls on the store, one way to print, progress, and the signal of Ctrl+C.
// In JSON mode exactly one object goes to stdout, whatever happens.

import { errorParts } from "../rpc/client.ts";
import type { Client, ErrorParts } from "../rpc/contract.ts";
import { localClient, makeRouter, type Router } from "../rpc/router.ts";
import { openApp, type App, type AppOptions } from "../services/app.ts";
import { UserError } from "../../native-models/errors.ts";
import { progressLine, type ProgressLine } from "./progress.ts";

export interface Io {
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown; isTTY?: boolean; columns?: number };
  /** Fires when the user asks to stop. */
  signal: AbortSignal;
}

export const exitCodes = { done: 0, userError: 1, bug: 2, cancelled: 130 } as const;

/** Ends a command with an exit code, after it has printed what there was to print. */
export class CommandEnd extends Error {
  readonly exitCode: number;
  constructor(exitCode: number) {
    super(`exit ${exitCode}`);
    this.exitCode = exitCode;
  }
}

export interface Context {
  isJson: boolean;
  signal: AbortSignal;
  progress: ProgressLine;
  /** The app on the store, opened on first use. */
  app(): App;
  router(): Router;
  client(): Client;
  /** The command's result: `value` as JSON, or `text` for people. */
  print(value: object, text: string): void;
  /** A line for people on stdout; nothing in JSON mode. */
  say(text: string): void;
  /** Text as it comes, for people; nothing in JSON mode. */
  write(text: string): void;
  /** A line on stderr. */
  note(text: string): void;
  json(value: object): void;
  /** Prints an error and gives its exit code. */
  fail(error: unknown): number;
  /** Prints an error that is known by its parts, or that the user cancelled, and ends. */
  end(error: (ErrorParts & { isBug: boolean }) | null, value?: object): never;
  close(): Promise<void>;
}

export function makeContext({ io, app: appOptions, isJson }: { io: Io; app: AppOptions; isJson: boolean }): Context {
  let opened: App | null = null;
  let router: Router | null = null;
  const progress = progressLine(io.stderr);
  const app = () => (opened ??= openApp(appOptions));
  const getRouter = () => (router ??= makeRouter(app()));

  const note = (text: string) => {
    progress.clear();
    io.stderr.write(`${text}\n`);
  };
  const json = (value: object) => void io.stdout.write(`${JSON.stringify(value)}\n`);

  function showError(error: ErrorParts & { isBug: boolean }, value: object): void {
    if (isJson) json({ ...value, error });
    note(`Error: ${error.what}\n  Where: ${error.where}\n  What to do: ${error.fix}`);
    if (error.isBug && opened !== null) note(`  Log: ${opened.home.logs}`);
  }

  return {
    isJson,
    signal: io.signal,
    progress,
    app,
    router: getRouter,
    client: () => localClient(getRouter()),
    print(value, text) {
      progress.clear();
      if (isJson) json(value);
      else io.stdout.write(`${text}\n`);
    },
    say(text) {
      progress.clear();
      if (!isJson) io.stdout.write(`${text}\n`);
    },
    write(text) {
      progress.clear();
      if (!isJson) io.stdout.write(text);
    },
    note,
    json,
    fail(error) {
      if (io.signal.aborted && isCancelled(error)) {
        if (isJson) json({ cancelled: true });
        note("Cancelled.");
        return exitCodes.cancelled;
      }
      const parts = partsOf(error);
      showError(parts, {});
      if (parts.isBug && opened === null && error instanceof Error) note(error.stack ?? "");
      return parts.isBug ? exitCodes.bug : exitCodes.userError;
    },
    end(error, value = {}) {
      if (error === null) {
        if (isJson) json({ ...value, cancelled: true });
        note("Cancelled.");
        throw new CommandEnd(exitCodes.cancelled);
      }
      showError(error, value);
      throw new CommandEnd(error.isBug ? exitCodes.bug : exitCodes.userError);
    },
    async close() {
      progress.clear();
      await opened?.close();
    },
  };
}

function isCancelled(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.name === "AbortError" || ("code" in error && error.code === "CLIENT_CLOSED_REQUEST");
}

function partsOf(error: unknown): ErrorParts & { isBug: boolean } {
  if (error instanceof UserError) return { ...error.parts, isBug: false };
  if (error instanceof Error && error.name !== "Error" && !("code" in error && "data" in error)) {
    return { what: `Something went wrong inside Nullspace: ${error.message}`, where: error.name, fix: "This is a fault in Nullspace.", isBug: true };
  }
  return errorParts(error);
}
