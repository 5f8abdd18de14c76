// How the window reaches Nullspace: a message port through the Electron shell where there is one, else a WebSocket to
// the server that gave this page. Out: a client while connected, and word when the connection is gone.

import { portClient, socketClient } from "../../main/rpc/client.ts";
import type { Client } from "../../main/rpc/contract.ts";
import { bridgeName, shellConnect, type ShellBridge } from "../../main/rpc/shell-bridge.ts";

export interface TransportEvents {
  opened(client: Client): void;
  closed(): void;
}

/** Opens one connection; the result closes it. */
export type Transport = (events: TransportEvents) => () => void;

/** Electron's shell, or null in a browser. */
export function shellBridge(): ShellBridge | null {
  return ((globalThis as Record<string, unknown>)[bridgeName] as ShellBridge | undefined) ?? null;
}

export function chooseTransport(): Transport {
  return shellBridge() === null ? socketTransport(socketAddress(window.location.href)) : portTransport;
}

/** ws://HOST/rpc with the page's token, which is in its query. */
export function socketAddress(page: string): string {
  const url = new URL("/rpc", page);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const token = new URL(page).searchParams.get("token");
  if (token !== null) url.searchParams.set("token", token);
  return url.href;
}

function socketTransport(address: string): Transport {
  return ({ opened, closed }) => {
    const socket = new WebSocket(address);
    socket.addEventListener("open", () => opened(socketClient(socket)));
    socket.addEventListener("close", closed);
    return () => {
      socket.removeEventListener("close", closed);
      socket.close();
    };
  };
}

const portTransport: Transport = ({ opened, closed }) => {
  const { port1, port2 } = new MessageChannel();
  port1.addEventListener("close", closed);
  window.postMessage(shellConnect, window.location.origin, [port2]);
  const client = portClient(port1);
  port1.start();
  opened(client);
  return () => {
    port1.removeEventListener("close", closed);
    port1.close();
  };
};
