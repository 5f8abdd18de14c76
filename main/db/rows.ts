// JSON columns: written by us, read by us. A value that does not parse is a damaged file and is named.

export function toJson(value: unknown): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value);
}

export function fromJson<T>(text: string | null, where: string): T | null {
  if (text === null) return null;
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new Error(`Column ${where} holds no JSON`, { cause });
  }
}
