// The token of `nullspace serve`, kept between starts so that an open page and a bookmark stay good. Only its owner may
// read the file.

import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export function keptToken(home: string): string {
  const file = join(home, "serve.token");
  try {
    const token = readFileSync(file, "utf8").trim();
    if (/^[\w-]{32,}$/.test(token)) return token;
  } catch {
    // none yet
  }
  const token = randomBytes(24).toString("base64url");
  writeFileSync(file, `${token}\n`, { mode: 0o600 });
  return token;
}
