// Pieces of commander that all commands share: numbers that are checked, and --json.

import { Command, InvalidArgumentError } from "commander";

/** A command with the options that every command takes. */
export function command(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option("--json", "print exactly one JSON object on stdout; progress goes to stderr")
    .showHelpAfterError("(add --help for the options)");
}

/** A command that only holds others. */
export function group(name: string, description: string): Command {
  return new Command(name).description(description).showHelpAfterError();
}

export function whole(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}

export function real(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("It must be a number.");
  return value;
}

/** Only the fields that were given, so that the schema's defaults hold for the others. */
export function given<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as { [K in keyof T]: Exclude<T[K], undefined> };
}
