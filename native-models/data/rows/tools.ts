// Tools in conversations, as text. Chat templates differ in how they take tools, and many ignore them silently; so the
// tools are written into the system turn and calls into the assistant's text, in the widely used <tool_call> form.

/** System text that lists the tools, or "" where the row has none. A list may also be given as JSON text (ShareGPT). */
export function toolsPrompt(value: unknown, wrong: (problem: string) => Error): string {
  if (value === undefined || value === null || value === "") return "";
  const tools = typeof value === "string" ? parseList(value, wrong) : value;
  if (!Array.isArray(tools)) throw wrong("must be a list of tools");
  if (tools.length === 0) return "";
  const lines = tools.map((tool) => JSON.stringify(tool)).join("\n");
  return `You may call these tools:\n<tools>\n${lines}\n</tools>\nTo call one, answer with its name and arguments as JSON inside <tool_call></tool_call>.`;
}

/** An assistant's words and its calls; null where it has neither. */
export function assistantText(content: string | null, isCall: boolean, calls: unknown): string | null {
  if (isCall && content !== null) return `<tool_call>\n${content.trim()}\n</tool_call>`;
  if (!Array.isArray(calls) || calls.length === 0) return content;
  const written = calls.map((call: unknown) => `<tool_call>\n${JSON.stringify(callBody(call))}\n</tool_call>`);
  return [content ?? "", ...written].filter((part) => part !== "").join("\n");
}

/** {name, arguments} of an OpenAI call; arguments come as JSON text there. */
function callBody(call: unknown): unknown {
  if (typeof call !== "object" || call === null || !Object.hasOwn(call, "function")) return call;
  const { name, arguments: given } = (call as { function: { name?: unknown; arguments?: unknown } | null }).function ?? {};
  return { name, arguments: typeof given === "string" ? parsedOrText(given) : given };
}

function parsedOrText(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text; // arguments that are no JSON are trained as they stand
  }
}

function parseList(text: string, wrong: (problem: string) => Error): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw wrong("must be a list of tools, as JSON");
  }
}
