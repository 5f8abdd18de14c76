// Files of the built window over HTTP, with strict security headers; a page that says how to build it where it is not.

import { existsSync } from "node:fs";
import { readFile, realpath } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { extname, join, sep } from "node:path";

export const contentTypes: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
};

export const securityHeaders = {
  "Content-Security-Policy": [
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data: blob:", "font-src 'self'",
    "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
  ].join("; "),
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Cache-Control": "no-cache",
};

const notBuilt = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Nullspace</title>
<h1>The window has not been built</h1><p>Run this in the Nullspace folder, then reload: <code>npm run build:renderer</code></p></html>`;

/** Answers GET and HEAD of a path below `folder`; anything outside it, also through a link, is not found. */
export async function sendPage(pathname: string, folder: string, response: ServerResponse): Promise<void> {
  if (!existsSync(join(folder, "index.html"))) return send(response, 503, contentTypes[".html"]!, notBuilt);
  const path = await pathOf(pathname, folder);
  const type = path === null ? undefined : contentTypes[extname(path)];
  if (path === null || type === undefined) return sendText(response, 404, "Not found");
  send(response, 200, type, await readFile(path));
}

export function sendText(response: ServerResponse, status: number, text: string): void {
  send(response, status, "text/plain; charset=utf-8", `${text}\n`);
}

function send(response: ServerResponse, status: number, type: string, body: string | Buffer): void {
  response.writeHead(status, { ...securityHeaders, "Content-Type": type, "Content-Length": Buffer.byteLength(body) });
  response.end(response.req.method === "HEAD" ? undefined : body);
}

async function pathOf(pathname: string, folder: string): Promise<string | null> {
  try {
    const asked = decodeURIComponent(pathname);
    const root = await realpath(folder);
    const path = await realpath(join(root, asked === "/" ? "index.html" : asked));
    return path.startsWith(root + sep) ? path : null;
  } catch {
    return null; // malformed escape, NUL in the path, or no such file
  }
}
