// nullspace serve: the window in a browser.

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { startServer } from "../../rpc/http.ts";
import { appRoot } from "../../services/system.ts";
import { keptToken } from "../../services/serve-token.ts";
import type { Context } from "../context.ts";
import { command, whole } from "../options.ts";

interface Options {
  port: number;
  host: string;
}

export function make(context: Context): Command {
  return command("serve", "Serves the window to a browser until Ctrl+C. The address it prints holds a token; nobody gets in without it.")
    .option("--port <N>", "port to listen on; 0: any free one", whole, 7070)
    .option("--host <ADDRESS>", "address to listen on; anything but loopback lets other machines in", "127.0.0.1")
    .action(async ({ port, host }: Options) => {
      const token = keptToken(context.app().home.folder);
      const pages = join(appRoot(), "dist", "renderer");
      if (!existsSync(join(pages, "index.html"))) context.note("The window has not been built yet: run npm run build:renderer in the Nullspace folder, then reload the page.");
      const server = await startServer({ router: context.router(), pages, port, host, token });
      context.print({ url: server.url, port: server.port }, `Nullspace is open at ${server.url}\nCtrl+C ends it.`);
      await new Promise<void>((resolve) => {
        if (context.signal.aborted) resolve();
        context.signal.addEventListener("abort", () => resolve());
      });
      await server.close();
    });
}
