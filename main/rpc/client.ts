// A typed client over a WebSocket or a message port. Used by the window and by the tests; the command line calls the
// router in its own process instead (router.ts). No Node module is imported here, so a browser can load it.

import { createORPCClient, ORPCError } from "@orpc/client";
import { RPCLink as PortLink } from "@orpc/client/message-port";
import { RPCLink as SocketLink } from "@orpc/client/websocket";
import type { Client } from "./contract.ts";
import type { ErrorParts } from "../../native-models/errors.ts";

/** Over an opening or open WebSocket. When it closes, calls fail: make a new socket and a new client. */
export function socketClient(websocket: ConstructorParameters<typeof SocketLink>[0]["websocket"]): Client {
  return createORPCClient(new SocketLink({ websocket }));
}

/** Over a started message port (Electron's, a worker's, or a MessageChannel's). */
export function portClient(port: ConstructorParameters<typeof PortLink>[0]["port"]): Client {
  return createORPCClient(new PortLink({ port }));
}

/** The three parts of any error of a call, to show: a user error as it is, a bug with its id, a lost connection. */
export function errorParts(error: unknown): ErrorParts & { isBug: boolean } {
  if (error instanceof ORPCError) {
    const data: unknown = error.data;
    if (error.code === "USER" && isParts(data)) return { ...data, isBug: false };
    if (error.code === "BUG" && typeof data === "object" && data !== null && "bugId" in data) {
      return {
        what: error.message,
        where: `bug ${String(data.bugId)}`,
        fix: "This is a fault in Nullspace. The log has the details under this id.",
        isBug: true,
      };
    }
  }
  return {
    what: error instanceof Error ? error.message : String(error),
    where: "the connection to Nullspace",
    fix: "Check that Nullspace is still running, then try again.",
    isBug: true,
  };
}

function isParts(data: unknown): data is ErrorParts {
  if (typeof data !== "object" || data === null) return false;
  const parts = data as Record<string, unknown>;
  return ["what", "where", "fix"].every((key) => typeof parts[key] === "string");
}
