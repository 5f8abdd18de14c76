// Who may talk to the server. Loopback is the default; a page of another site must not reach it through the user's
// browser, so Host and Origin must be ours (DNS rebinding, foreign pages), and a token is needed: from the URL once,
// then from a cookie. Comparison takes the same time whatever was sent; wrong tokens are slowed down.

import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

export interface GuardOptions {
  token: string;
  /** Host names the server answers to, without port. Loopback names are always among them. */
  hosts: readonly string[];
  port: () => number;
}

export type Verdict = { isAllowed: true; hasTokenInUrl: boolean } | { isAllowed: false; status: 401 | 403 | 429; reason: string };

const loopback = ["localhost", "127.0.0.1", "[::1]"];
const mostFailures = 20;
const failureWindowMs = 60_000;

export function makeGuard({ token, hosts, port }: GuardOptions) {
  // Cookies do not know ports: two servers on one machine must not overwrite each other's.
  const cookieName = () => `nullspace_${port()}`;
  const failures = new Map<string, { count: number; sinceMs: number }>();
  const names = new Set([...loopback, ...hosts.map((host) => (host.includes(":") && !host.startsWith("[") ? `[${host}]` : host).toLowerCase())]);

  /** By name only: the port may differ where it is forwarded. */
  const isOwnHost = (host: string | undefined): host is string => {
    const name = /^(\[[0-9a-f:]+\]|[^:]+)(?::\d+)?$/i.exec(host ?? "")?.[1];
    return name !== undefined && names.has(name.toLowerCase());
  };

  /** Failures of one address within the last minute. */
  function failuresOf(address: string, nowMs: number): { count: number; sinceMs: number } {
    const seen = failures.get(address);
    if (seen !== undefined && nowMs - seen.sinceMs < failureWindowMs) return seen;
    if (failures.size > 1000) failures.clear();
    const fresh = { count: 0, sinceMs: nowMs };
    failures.set(address, fresh);
    return fresh;
  }

  return {
    /** Looks at a request or a WebSocket upgrade. Browsers always send the Origin with the latter. */
    check(request: IncomingMessage, nowMs = performance.now()): Verdict {
      const { host } = request.headers;
      if (!isOwnHost(host)) return { isAllowed: false, status: 403, reason: "Host is not this server" };
      const { origin } = request.headers;
      if (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`) return { isAllowed: false, status: 403, reason: "Origin is another site" };
      if (request.headers["sec-fetch-site"] === "cross-site") return { isAllowed: false, status: 403, reason: "Request from another site" };

      const failed = failuresOf(request.socket.remoteAddress ?? "", nowMs);
      if (failed.count >= mostFailures) return { isAllowed: false, status: 429, reason: "Too many wrong tokens; wait a minute" };
      const inUrl = new URL(request.url ?? "/", "http://host").searchParams.get("token");
      const sent = inUrl ?? cookieOf(request.headers.cookie, cookieName());
      if (sent !== null && isSame(sent, token)) return { isAllowed: true, hasTokenInUrl: inUrl !== null };
      if (sent !== null) failed.count++;
      return { isAllowed: false, status: 401, reason: "Open the address with its token, as nullspace serve prints it" };
    },

    cookie: () => `${cookieName()}=${token}; Path=/; HttpOnly; SameSite=Strict`,
  };
}

function isSame(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

function cookieOf(header: string | undefined, cookieName: string): string | null {
  for (const part of (header ?? "").split(";")) {
    const [name, value] = part.trim().split("=", 2);
    if (name === cookieName && value !== undefined) return value;
  }
  return null;
}
