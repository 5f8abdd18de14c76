// Entry of the command line: arguments in, exit code out. 0 done · 1 user error · 2 bug · 130 cancelled.

import { pathToFileURL } from "node:url";
import { Command, CommanderError } from "commander";
import { loadCommands } from "./commands/table.ts";
import { CommandEnd, exitCodes, makeContext, type Io } from "./context.ts";
import { appVersion } from "../services/system.ts";
import type { AppOptions } from "../services/app.ts";

/** Runs one command line. `app` changes how the store and the engine are opened (tests). */
export async function runCli(args: readonly string[], io: Io, app: AppOptions = {}): Promise<number> {
  const context = makeContext({ io, app, isJson: args.includes("--json") });
  try {
    const program = new Command("nullspace")
      .description("Fine-tunes a local language model without making it forget what it knows.")
      .version(appVersion(), "-v, --version", "print the version")
      .helpCommand("help [command]", "help for a command")
      .addHelpText("after", help);
    for (const command of await loadCommands(context)) program.addCommand(command);
    quiet(program, io);
    if (args.length === 0) {
      program.outputHelp();
      return exitCodes.done;
    }
    await program.parseAsync([...args], { from: "user" });
    return exitCodes.done;
  } catch (error) {
    return endOf(error, context);
  } finally {
    await context.close();
  }
}

const help = `
Every command takes --json: exactly one JSON object on stdout; progress is on stderr.
Exit codes: 0 done, 1 user error, 2 fault in Nullspace, 130 cancelled. Ctrl+C cancels politely, a second one at once.
Runs and caches are kept in one folder for window and command line; NULLSPACE_HOME names another.`;

/** Errors of usage are thrown, not exited on; what commander writes goes to our streams. */
function quiet(command: Command, io: Io): void {
  command.exitOverride().configureOutput({
    writeOut: (text) => io.stdout.write(text),
    writeErr: (text) => io.stderr.write(text),
    getOutHelpWidth: () => 100,
  });
  command.commands.forEach((child) => quiet(child, io));
}

function endOf(error: unknown, context: ReturnType<typeof makeContext>): number {
  if (error instanceof CommandEnd) return error.exitCode;
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return exitCodes.done; // --help, --version
    if (context.isJson) context.json({ error: { what: error.message.replace(/^error: /, ""), where: "command line", fix: "See --help.", isBug: false } });
    return exitCodes.userError;
  }
  return context.fail(error);
}

/** The command line of this process. */
export async function main(): Promise<void> {
  const io: Io = { stdout: process.stdout, stderr: process.stderr, signal: interruptSignal() };
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(exitCodes.done); // the reader of our output has had enough
    throw error;
  });
  process.exitCode = await runCli(process.argv.slice(2), io);
}

/** Fires at the first Ctrl+C; the second one ends the process, and with it the engine's. */
function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  const interrupt = () => {
    if (controller.signal.aborted) process.exit(exitCodes.cancelled);
    controller.abort();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, interrupt);
  if (process.channel !== undefined) {
    process.on("disconnect", interrupt); // the process that handed over to us is gone
    process.channel.unref();
  }
  return controller.signal;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await main();
