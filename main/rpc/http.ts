// `nullspace serve`: the window in a browser, and the contract over a WebSocket at /rpc. Every request and every upgrade
// passes guard.ts first. Loopback unless another address is asked for.

import { RPCHandler } from "@orpc/server/ws";
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { UserError } from "../../native-models/errors.ts";
import { makeGuard } from "./guard.ts";
import { ownNames } from "./own-names.ts";
import { sendPage, sendText } from "./pages.ts";
import type { Router } from "./router.ts";

const mostMessageBytes = 4 * 1024 * 1024;

export interface ServerOptions {
  router: Router;
  /** Folder of the built window: dist/renderer. */
  pages: string;
  /** 0: any free port. */
  port: number;
  host?: string;
  /** Default: a new one. */
  token?: string;
}

export interface RunningServer {
  /** Address to open, with the token. */
  url: string;
  port: number;
  token: string;
  close(): Promise<void>;
}

export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { router, pages, host = "127.0.0.1", token = randomBytes(24).toString("base64url") } = options;
  const handler = new RPCHandler(router);
  const sockets = new WebSocketServer({ noServer: true, maxPayload: mostMessageBytes, perMessageDeflate: false });
  const server = createServer((request, response) => {
    const verdict = guard.check(request);
    if (!verdict.isAllowed) return sendText(response, verdict.status, verdict.reason);
    if (request.method !== "GET" && request.method !== "HEAD") return sendText(response, 405, "Only GET is answered here");
    const { pathname } = new URL(request.url ?? "/", "http://host");
    if (verdict.hasTokenInUrl) {
      // The token goes into a cookie and out of the address, so that it stays out of the history.
      response.writeHead(303, { "Set-Cookie": guard.cookie(), Location: pathname, "Referrer-Policy": "no-referrer" });
      return response.end();
    }
    sendPage(pathname, pages, response).catch(() => response.destroy());
  });
  const guard = makeGuard({ token, hosts: host === "0.0.0.0" || host === "::" ? ownNames() : [host], port: () => portOf(server.address()) });

  server.on("upgrade", (request, socket, head) => {
    const verdict = guard.check(request);
    if (!verdict.isAllowed) return refuse(socket, verdict.status, verdict.reason);
    if (new URL(request.url ?? "/", "http://host").pathname !== "/rpc") return refuse(socket, 404, "Not found");
    sockets.handleUpgrade(request, socket, head, (websocket) => {
      websocket.on("error", () => websocket.terminate()); // an oversized or broken frame ends the connection
      void handler.upgrade(websocket, { context: {} });
    });
  });

  await listen(server, options.port, host);
  const port = portOf(server.address());
  const shown = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host.includes(":") ? `[${host}]` : host;
  return {
    url: `http://${shown}:${port}/?token=${token}`,
    port,
    token,
    async close() {
      sockets.clients.forEach((client) => client.terminate());
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function listen(server: ReturnType<typeof createServer>, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const isTaken = error.code === "EADDRINUSE";
      const parts = {
        what: isTaken ? `Port ${port} is in use.` : `The server cannot listen on ${host}:${port}: ${error.message}.`,
        where: "serve: port",
        fix: isTaken ? "Choose another port with --port, or 0 for any free one." : "Choose another address or port.",
      };
      reject(new UserError(parts, { cause: error }));
    });
    server.listen(port, host, resolve);
  });
}

function refuse(socket: Duplex, status: number, reason: string): void {
  socket.end(`HTTP/1.1 ${status} Refused\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(reason)}\r\nConnection: close\r\n\r\n${reason}`);
}

function portOf(address: AddressInfo | string | null): number {
  return typeof address === "object" && address !== null ? address.port : 0;
}
