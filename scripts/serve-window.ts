// Starts `nullspace serve` as a process of its own and waits until the window can be opened.
// In: the store's folder and a port (0: a free one). Out: the address, and a stop that ends the process and what it
// started. Used by `npm start` and by the end-to-end tests.

import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";

export interface WindowServer {
  url: string;
  process: ChildProcess;
  /** What the server has written so far, to show when something fails. */
  output(): string;
  /** Asks it to stop; after 10 s it is killed. */
  stop(): Promise<void>;
}

export interface ServeOptions {
  repoRoot: string;
  port: number;
  env?: NodeJS.ProcessEnv;
  limitMs?: number;
}

export async function serveWindow({ repoRoot, port, env = process.env, limitMs = 60_000 }: ServeOptions): Promise<WindowServer> {
  const args = [join(repoRoot, "bin/nullspace.mjs"), "serve", "--port", String(port)];
  const child = spawn(process.execPath, args, { cwd: repoRoot, env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const ended = new Promise<string>((settle) => {
    child.once("error", (error) => settle(error.message));
    child.once("exit", (code, signal) => settle(`it ended with ${code ?? signal}`));
  });
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await ended;
    clearTimeout(timer);
  };
  const address = new Promise<string>((settle) => {
    const read = (text: string): void => {
      output = (output + text).slice(-20_000);
      const match = /https?:\/\/(?:127\.0\.0\.1|localhost|\[::1\]):\d+[^\s"'<>,]*/.exec(output);
      // Wait for the character after the address: it may come in two pieces.
      if (match !== null && match.index + match[0].length < output.length) settle(match[0]);
    };
    child.stdout.setEncoding("utf8").on("data", read);
    child.stderr.setEncoding("utf8").on("data", read);
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((settle) => (timer = setTimeout(() => settle(null), limitMs)));
  const first = await Promise.race([address.then((url) => ({ url })), ended.then((why) => ({ why })), late]);
  clearTimeout(timer);
  if (first !== null && "url" in first) return { url: first.url, process: child, output: () => output, stop };
  await stop();
  const why = first === null ? `it gave no address in ${limitMs / 1000} s` : first.why;
  throw new Error(`nullspace serve did not start: ${why}.\n${output.trim()}`);
}
