// The draft of a new run, kept in this browser so that a reload loses nothing. What is read back is merged field by field
// into an empty draft: a draft of an older version, or one that was damaged, costs the fields that do not fit.

const storageKey = "nullspace.new-run";

export function keepDraft(draft: object): void {
  try {
    localStorage.setItem(storageKey, JSON.stringify(draft));
  } catch {
    return; // no room or not allowed: the form works without
  }
}

export function forgetDraft(): void {
  localStorage.removeItem(storageKey);
}

/** Null where none is kept. */
export function keptDraft<T extends object>(empty: T): T | null {
  const text = localStorage.getItem(storageKey);
  if (text === null) return null;
  try {
    return merged(empty, JSON.parse(text) as unknown) as T;
  } catch {
    return null; // damaged: as if there were none
  }
}

/** `kept` where it has the shape of `empty`; a value may be null (an emptied field), and one that is null may be anything. */
function merged(empty: unknown, kept: unknown): unknown {
  if (empty === null) return kept ?? null;
  if (typeof empty !== "object") return kept === null || typeof kept === typeof empty ? kept : empty;
  if (typeof kept !== "object" || kept === null) return empty;
  const fields = kept as Record<string, unknown>;
  return Object.fromEntries(Object.entries(empty).map(([key, value]) => [key, Object.hasOwn(fields, key) ? merged(value, fields[key]) : value]));
}
