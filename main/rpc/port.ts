// The contract over a message port: Electron's MessagePortMain, or one end of a MessageChannel.

import { RPCHandler } from "@orpc/server/message-port";
import type { Router } from "./router.ts";

/** Serves every port it is given. Start the port after this call. */
export function portServer(router: Router): (port: Parameters<RPCHandler<Record<never, never>>["upgrade"]>[0]) => void {
  const handler = new RPCHandler(router);
  return (port) => handler.upgrade(port, { context: {} });
}
