// Serves the built window to Electron under app://nullspace/, so that no file: page exists.
// In: a request's URL and the folder of the built window. Out: the file with its type and the security headers, or 404.

import { readFile, realpath } from "node:fs/promises";
import { extname, join, sep } from "node:path";
import { contentTypes, securityHeaders } from "../rpc/pages.ts";
import { isOwnPage } from "./security.ts";

/** Answers one request; a path outside `folder`, also through a link, is a 404 like any other missing file. */
export async function pageResponse(url: string, folder: string): Promise<Response> {
  const path = await pagePath(url, folder);
  const contentType = path === null ? undefined : contentTypes[extname(path)];
  if (path === null || contentType === undefined) return new Response("Not found", { status: 404 });
  const headers = { ...securityHeaders, "Content-Type": contentType };
  return new Response(new Uint8Array(await readFile(path)), { headers });
}

async function pagePath(url: string, folder: string): Promise<string | null> {
  if (!isOwnPage(url)) return null;
  try {
    const asked = decodeURIComponent(new URL(url).pathname);
    const root = await realpath(folder);
    const path = await realpath(join(root, asked === "/" ? "index.html" : asked));
    return path.startsWith(root + sep) ? path : null;
  } catch {
    return null; // malformed escape, NUL in the path, or no such file
  }
}
