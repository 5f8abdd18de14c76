// Models whose weight files are links, as in the Hugging Face cache: snapshots/<commit>/model.safetensors → ../../blobs/<hash>.

import { mkdirSync, mkdtempSync, readdirSync, realpathSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createAnswerer } from "../../native-models/answering/answerer.ts";
import { describeFolder, openCheckpoint } from "../../native-models/checkpoint/checkpoint.ts";
import { writeTinyModel } from "../support/tiny-model.ts";

let folder: string;
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "nullspace-links-")));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The model's files moved to `blobs`, with links in a snapshot. */
function cacheOf(name: string, shards: number, blobsOf: (file: string) => string): string {
  const plain = join(folder, name, "plain");
  writeTinyModel(plain, { shards });
  const snapshot = join(folder, name, "snapshots", "0123abcd");
  mkdirSync(snapshot, { recursive: true });
  readdirSync(plain).forEach((file, i) => {
    const blob = join(folder, name, blobsOf(file), `blob-${i}`);
    mkdirSync(dirname(blob), { recursive: true });
    renameSync(join(plain, file), blob);
    symlinkSync(relative(snapshot, blob), join(snapshot, file));
  });
  return snapshot;
}

async function answer(model: string): Promise<number[]> {
  const answerer = await createAnswerer({ checkpoint: openCheckpoint(model), maxLength: 32, session: { threads: 1 } });
  const begun = await answerer.begin([{ ids: [3, 9, 27, 4], adapter: null }]);
  const [generated] = await begun.generate({ maxNewTokens: 12, eosIds: [] });
  await answerer.release();
  return generated!.ids;
}

test.each([
  { name: "one file in the blobs", shards: 1, blobsOf: () => "blobs" },
  { name: "shards in the blobs", shards: 3, blobsOf: () => "blobs" },
  { name: "shards in folders of their own", shards: 3, blobsOf: (file: string) => join("store", file) },
])("a model of linked weights, $name, answers as the plain one does", async ({ name, shards, blobsOf }) => {
  const plain = join(folder, `${name} plain`);
  writeTinyModel(plain, { shards });
  expect(await answer(cacheOf(name, shards, blobsOf))).toEqual(await answer(plain));
});

test("a link that leads nowhere is told by the file's name", () => {
  const model = cacheOf("dangling", 1, () => "blobs");
  rmSync(join(folder, "dangling", "blobs"), { recursive: true });
  const described = describeFolder(model);
  expect(described.isUsable).toBe(false);
  expect(JSON.stringify(described)).toContain("config.json");
});
