// Every command, in the order that --help shows. A command module exports `make`, which builds its commander command.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import type { Context } from "../context.ts";

export interface CommandModule {
  make(context: Context): Command;
}

const names = ["demo", "run", "models", "calibrate", "init", "estimate", "train", "probe", "ask", "chats", "runs", "cache", "study", "serve", "bench"] as const;

export async function loadCommands(context: Context): Promise<Command[]> {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const files = names.map((name) => new URL(`./${name}.${extension}`, import.meta.url)).filter((url) => existsSync(fileURLToPath(url)));
  const modules = await Promise.all(files.map((url) => import(url.href) as Promise<CommandModule>));
  return modules.map((module) => module.make(context));
}
