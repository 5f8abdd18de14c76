// A model's chat template: Jinja from chat_template.jinja or tokenizer_config.json, rendered over messages.
// In: template text of unknown origin. Out: one function. A template that loops without end or grows without bound is
// stopped: ranges, time and output are limited.

import { join } from "node:path";
import { createContext, Script } from "node:vm";
import type { Context } from "node:vm";
import { Environment, Interpreter, parse, tokenize } from "@huggingface/jinja";
import { UserError } from "../errors.ts";
import { messageOf, readTextFile } from "./file-bytes.ts";
import { shown } from "./safetensors-header.ts";
import type { ChatMessage } from "./types.ts";

const largestTemplateBytes = 1_000_000;
const largestOutputChars = 20_000_000;
const largestRange = 100_000;
const renderLimitMs = 5_000;

export interface TemplateTokens {
  bos_token: string;
  eos_token: string;
  pad_token: string;
  unk_token: string;
}

export type ChatTemplate = (messages: readonly ChatMessage[], options: { addGenerationPrompt: boolean }) => string;

/** The folder's template text and the file it stands in, or null where there is none. */
export function findChatTemplate(folder: string, tokenizerConfig: Readonly<Record<string, unknown>>): { text: string; where: string } | null {
  const file = join(folder, "chat_template.jinja");
  const text = readTextFile(file, largestTemplateBytes);
  if (text !== null) return { text, where: file };
  const where = `${join(folder, "tokenizer_config.json")}: chat_template`;
  const field = tokenizerConfig["chat_template"];
  if (field === undefined || field === null) return null;
  if (typeof field === "string") return { text: field, where };
  const named = Array.isArray(field) ? (field as unknown[]).filter(isNamedTemplate) : [];
  const chosen = named.find((item) => item.name === "default");
  if (chosen === undefined) {
    throw new UserError({ what: "The chat template is neither text nor a list with one named \"default\".", where, fix: "Mend this field or remove it." });
  }
  return { text: chosen.template, where };
}

/** Parses `text`; rendering gives exactly what transformers' apply_chat_template gives. */
export function compileChatTemplate(text: string, where: string, tokens: TemplateTokens): ChatTemplate {
  if (text.length > largestTemplateBytes) throw refused(where, `It has ${text.length} characters; ${largestTemplateBytes} is the most.`);
  let program: ReturnType<typeof parse>;
  try {
    program = limited(() => parse(tokenize(text, { lstrip_blocks: true, trim_blocks: true })));
  } catch (cause) {
    throw refused(where, `The chat template cannot be parsed: ${messageOf(cause).slice(0, 300)}.`, cause);
  }
  return (messages, { addGenerationPrompt }) => {
    let output: unknown;
    try {
      output = limited(() => {
        const environment = new Environment();
        const globals = { ...builtins, ...tokens, messages: structuredClone(messages), add_generation_prompt: addGenerationPrompt };
        for (const [name, value] of Object.entries(globals)) environment.set(name, value);
        return new Interpreter(environment).run(program).value;
      });
    } catch (cause) {
      throw refused(where, `The chat template stopped: ${messageOf(cause).slice(0, 300)}.`, cause);
    }
    if (typeof output !== "string" || output.length > largestOutputChars) {
      throw refused(where, `The chat template gave ${typeof output === "string" ? `${output.length} characters` : "no text"}.`);
    }
    return output;
  };
}

const builtins = {
  true: true, false: false, none: null, True: true, False: false, None: null,
  raise_exception(message: unknown): never {
    throw new Error(String(message));
  },
  range(first: number, second?: number, step = 1): number[] {
    const [start, stop] = second === undefined ? [0, first] : [first, second];
    const length = Math.max(0, Math.ceil((stop - start) / step));
    if (!(length <= largestRange)) throw new Error(`range() of ${length} is beyond ${largestRange}`);
    return Array.from({ length }, (_, i) => start + i * step);
  },
  // Llama 3 templates print today's date; the format letters they use, in English as strftime has them.
  strftime_now(format: string): string {
    const now = new Date();
    const inEnglish = (options: Intl.DateTimeFormatOptions): string => new Intl.DateTimeFormat("en-GB", options).format(now);
    const letters: Record<string, string> = {
      d: String(now.getDate()).padStart(2, "0"), m: String(now.getMonth() + 1).padStart(2, "0"), Y: String(now.getFullYear()),
      b: inEnglish({ month: "short" }).slice(0, 3), B: inEnglish({ month: "long" }), a: inEnglish({ weekday: "short" }), A: inEnglish({ weekday: "long" }),
      H: String(now.getHours()).padStart(2, "0"), M: String(now.getMinutes()).padStart(2, "0"), S: String(now.getSeconds()).padStart(2, "0"),
    };
    return format.replace(/%([a-zA-Z])/g, (whole, letter: string) => letters[letter] ?? whole);
  },
};

// vm's watchdog stops any JavaScript that its script calls, so it bounds the interpreter too. It is used for the clock
// only, not as a wall: templates get no functions but the ones above.
let clock: { script: Script; context: Context } | null = null;
let isTimed = false;

/** Runs `work` under one time limit that all renderings inside share: starting a clock costs half a millisecond. */
export function underTemplateClock<T>(work: () => T): T {
  try {
    return limited(work);
  } catch (cause) {
    if ((cause as { code?: unknown } | null)?.code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw cause;
    throw refused("chat template", `It took longer than ${renderLimitMs / 1000} s for a few rows.`, cause);
  }
}

function limited<T>(work: () => T): T {
  if (isTimed) return work();
  clock ??= { script: new Script("work()"), context: createContext({ work: null }) };
  const { script, context } = clock;
  context["work"] = work;
  isTimed = true;
  try {
    return script.runInContext(context, { timeout: renderLimitMs }) as T;
  } finally {
    isTimed = false;
    context["work"] = null;
  }
}

function isNamedTemplate(value: unknown): value is { name: string; template: string } {
  const item = value as { name?: unknown; template?: unknown } | null;
  return typeof item === "object" && item !== null && typeof item.name === "string" && typeof item.template === "string";
}

function refused(where: string, what: string, cause?: unknown): UserError {
  return new UserError({ what, where: shown(where).slice(1, -1), fix: "Check the model's chat template, or use another template." }, { cause });
}
