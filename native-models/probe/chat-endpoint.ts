// A model behind an OpenAI-compatible address, asked for one answer at a time, with time limits, retries and a rate.
// In: the address, the model's name, the name of an environment variable with the key (the key itself is never kept or
// shown). Out: the text of an answer, or a UserError that says what the server said.

import { setTimeout as sleep } from "node:timers/promises";
import type { ChatMessage } from "../checkpoint/types.ts";
import { UserError } from "../errors.ts";

export interface EndpointSettings {
  /** Up to /v1, or the whole address of chat/completions. */
  url: string;
  model: string;
  /** Environment variable that holds the key; null: none is sent. */
  keyFrom: string | null;
  newTokens: number;
  timeoutMs: number;
  /** Requests a minute; null: no limit. */
  perMinute: number | null;
}

export interface Endpoint {
  ask(messages: readonly ChatMessage[], signal: AbortSignal): Promise<string>;
}

/** Tries of one request, the first one included. */
const mostTries = 6;
const firstWaitMs = 1000;
const longestWaitMs = 60_000;

/** Worth another try: too many requests, and faults of the server. */
const isPassing = (status: number): boolean => status === 408 || status === 409 || status === 429 || status >= 500;

export function chatEndpoint(settings: EndpointSettings, options: { env?: NodeJS.ProcessEnv; firstWaitMs?: number } = {}): Endpoint {
  const { env = process.env } = options;
  const address = addressOf(settings.url);
  const key = settings.keyFrom === null ? null : keyIn(env, settings.keyFrom);
  const turn = paced(settings.perMinute);

  async function tryOnce(messages: readonly ChatMessage[], signal: AbortSignal): Promise<{ text: string } | { problem: string; waitMs: number | null }> {
    const limit = AbortSignal.timeout(settings.timeoutMs);
    try {
      const answer = await fetch(address, {
        method: "POST",
        headers: { "content-type": "application/json", ...(key !== null && { authorization: `Bearer ${key}` }) },
        body: JSON.stringify({ model: settings.model, messages, temperature: 0, max_tokens: settings.newTokens }),
        signal: AbortSignal.any([limit, signal]),
        redirect: "error",
      });
      const body = await answer.text();
      if (answer.ok) return { text: textOf(body, address) };
      const said = `${address} answers ${answer.status}${saidIn(body, key)}`;
      if (isPassing(answer.status)) return { problem: said, waitMs: waitAskedFor(answer.headers) };
      throw refused(answer.status, said, settings);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof UserError) throw error;
      if (limit.aborted) return { problem: `${address} gave no answer within ${settings.timeoutMs / 1000} s`, waitMs: null };
      const inner = (error as { cause?: { code?: string; message?: string } }).cause;
      return { problem: `${address} cannot be reached: ${inner?.code ?? inner?.message ?? String(error)}`, waitMs: null };
    }
  }

  return {
    async ask(messages, signal) {
      let waitMs = options.firstWaitMs ?? firstWaitMs;
      for (let tries = 1; ; tries++) {
        await turn(signal);
        const got = await tryOnce(messages, signal);
        if ("text" in got) return got.text;
        if (tries === mostTries) {
          throw new UserError({ what: `${got.problem}, ${mostTries} times.`, where: "judge: url", fix: "Start the probe again later: what was judged already stays. Or raise the time limit, or lower the rate." });
        }
        await sleep(Math.min(longestWaitMs, got.waitMs ?? waitMs * (0.75 + Math.random() / 2)), undefined, { signal });
        waitMs *= 2;
      }
    },
  };
}

function addressOf(url: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch (cause) {
    throw new UserError({ what: `${url} is no web address.`, where: "judge: url", fix: "Give one such as https://api.example.com/v1 or http://127.0.0.1:8080/v1." }, { cause });
  }
  if (parsed.protocol !== "https:" && parsed.protocol !== "http:") throw new UserError({ what: `${url} is no http or https address.`, where: "judge: url", fix: "Give one such as https://api.example.com/v1." });
  if (parsed.username !== "" || parsed.password !== "") throw new UserError({ what: "The address holds a name or password, which would be stored.", where: "judge: url", fix: "Put the key into an environment variable and name that." });
  if (!parsed.pathname.endsWith("/chat/completions")) parsed.pathname = `${parsed.pathname.replace(/\/$/, "")}/chat/completions`;
  return parsed.href;
}

function keyIn(env: NodeJS.ProcessEnv, name: string): string {
  const key = env[name];
  if (key !== undefined && key !== "") return key;
  throw new UserError({ what: `The environment variable ${name} is not set: the judge's key was to be in it.`, where: "judge: keyFrom", fix: `Set ${name} before Nullspace is started, or name another variable.` });
}

/** Waits until the next request may start. */
function paced(perMinute: number | null): (signal: AbortSignal) => Promise<void> {
  const gapMs = perMinute === null ? 0 : 60_000 / perMinute;
  let nextMs = 0;
  return async (signal) => {
    const nowMs = performance.now();
    const startMs = Math.max(nowMs, nextMs);
    nextMs = startMs + gapMs;
    if (startMs > nowMs) await sleep(startMs - nowMs, undefined, { signal });
  };
}

function textOf(body: string, address: string): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    parsed = null; // told below
  }
  const text = (parsed as { choices?: { message?: { content?: unknown } }[] } | null)?.choices?.[0]?.message?.content;
  if (typeof text === "string") return text;
  throw new UserError({ what: `${address} answers something else than a chat completion: ${body.slice(0, 120)}`, where: "judge: url", fix: "Check that the address is of an OpenAI-compatible server." });
}

/** What the server said of a refusal, in one line; servers may repeat a key. */
function saidIn(body: string, key: string | null): string {
  const hidden = key === null ? body : body.replaceAll(key, "…");
  const line = hidden.replace(/\s+/g, " ").trim().slice(0, 200);
  return line === "" ? "" : `: ${line}`;
}

function refused(status: number, what: string, { keyFrom }: EndpointSettings): UserError {
  const key = keyFrom === null ? "Name the environment variable that holds its key." : `Check the key in ${keyFrom}.`;
  return new UserError({ what: `${what}.`, where: "judge: url", fix: status === 401 || status === 403 ? key : "Check the address and the model's name." });
}

function waitAskedFor(headers: Headers): number | null {
  const seconds = Number(headers.get("retry-after") ?? NaN);
  return Number.isFinite(seconds) ? seconds * 1000 : null;
}
