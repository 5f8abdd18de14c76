// Names and addresses under which this machine is reached, for a server that listens on all of them.

import { hostname, networkInterfaces } from "node:os";

export function ownNames(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address.split("%")[0]!));
  return [hostname(), ...addresses];
}
