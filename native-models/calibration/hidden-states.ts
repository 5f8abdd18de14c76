// What layer ranges hand to each other: the hidden states of every tile of windows, 4·D bytes a token.
// Held in memory, or in a file of its own where they are large; each range writes over what the one before left.

import { closeSync, openSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { partialName, readFully, requireFreeSpace, unwritable, writeFully } from "../checkpoint/file-bytes.ts";

export interface HiddenStates {
  /** Of tile `tile`, as last written; of a file, valid until the next call. */
  read(tile: number): Float32Array;
  write(tile: number, values: Float32Array): void;
  /** Forgets them all, and their file. */
  release(): void;
}

export function heldStates(): HiddenStates {
  const tiles: Float32Array[] = [];
  return {
    read: (tile) => tiles[tile]!,
    write: (tile, values) => void (tiles[tile] = values),
    release: () => void (tiles.length = 0),
  };
}

/** In a file beside `beside`, gone when released. `sizes`: floats of each tile. */
export function storedStates(beside: string, sizes: readonly number[]): HiddenStates {
  const file = partialName(`${beside}.hidden`);
  const offsets = sizes.map((_, i) => 4 * sizes.slice(0, i).reduce((sum, size) => sum + size, 0));
  const tile = new Float32Array(Math.max(...sizes));
  const bytesOf = (values: Float32Array): Uint8Array => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  requireFreeSpace(dirname(file), 4 * sizes.reduce((sum, size) => sum + size, 0));
  let fd: number;
  try {
    fd = openSync(file, "wx+");
    if (process.platform !== "win32") rmSync(file); // nameless, it goes with the process however that ends
  } catch (cause) {
    throw unwritable(file, cause);
  }
  return {
    read(at) {
      const values = tile.subarray(0, sizes[at]);
      readFully(fd, bytesOf(values), offsets[at]!, file);
      return values;
    },
    write: (at, values) => writeFully(fd, bytesOf(values), offsets[at]!, file),
    release() {
      closeSync(fd);
      rmSync(file, { force: true });
    },
  };
}
