// Programs in the sandbox: what they may do, and what they may not however they try.

import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { usualLimits } from "../../native-models/sandbox/bootstrap.ts";
import { readTask } from "../../native-models/probe/read-task.ts";
import { humaneval } from "../../native-models/probe/tasks/humaneval.ts";
import { openSandbox, type Sandbox } from "../../native-models/sandbox/sandbox.ts";
import { sharedData, sharedFolder } from "../support/shared-paths.ts";

let sandbox: Sandbox | null = null;
let why = "";
try {
  sandbox = await openSandbox({ limits: { ...usualLimits, cpuSeconds: 1, wallSeconds: 4 } });
} catch (error) {
  why = error instanceof Error ? error.message : String(error); // named in the skipped tests
}
afterAll(() => sandbox?.close());
const held = describe.skipIf(sandbox === null);
/** By its processor time, or on a busy machine by the clock. */
const outOfTime = /was killed|ended after 4 s/;
const run = (program: string) => sandbox!.run(program);

held(`a sandbox (${sandbox?.kind ?? why})`, () => {
  test("a right program passes, a wrong one says why it did not", async () => {
    expect(await run("def f(x): return x + 1\nassert f(1) == 2")).toMatchObject({ hasPassed: true, verdict: "passed" });
    expect(await run("assert 1 == 2, 'one is not two'")).toMatchObject({ hasPassed: false, verdict: "AssertionError: one is not two" });
    expect(await run("def f(:")).toMatchObject({ hasPassed: false, verdict: expect.stringContaining("SyntaxError") });
    expect(await run("raise KeyError")).toMatchObject({ hasPassed: false, verdict: "KeyError" });
  });

  test("modules of Python's library are there", async () => {
    expect(await run("import math, re, heapq, collections, itertools, typing, json, random, datetime, hashlib, decimal\nassert math.gcd(4, 6) == 2")).toMatchObject({ verdict: "passed" });
  });

  test.each([
    ["import sys\nsys.exit(0)", "SystemExit: 0"],
    ["import os\nos._exit(0)", expect.stringContaining("before its end")],
    ["import os\nos.kill(os.getpid(), 9)", expect.stringContaining("killed")],
    ["print('passed')\nprint('0' * 32, 'passed')\nraise ValueError", "ValueError"],
    ["import sys\nsys.stdout = None\nraise ValueError", "ValueError"],
  ])("leaving early is no pass: %j", async (program, verdict) => {
    expect(await run(program)).toMatchObject({ hasPassed: false, verdict });
  });

  test("a loop without end is ended by its processor time", async () => {
    const { hasPassed, verdict, elapsedMs } = await run("while True: pass");
    expect([hasPassed, verdict]).toEqual([false, expect.stringMatching(outOfTime)]);
    expect(elapsedMs).toBeLessThan(6000);
  });

  test("a sleep without end is ended by the clock", async () => {
    const { verdict, elapsedMs } = await run("import time\ntime.sleep(1000)");
    expect(verdict).toMatch(outOfTime);
    expect(elapsedMs).toBeLessThan(6000);
  });

  test("ten gigabytes are refused", async () => {
    expect(await run("x = bytearray(10 * 10**9)")).toMatchObject({ hasPassed: false, verdict: "MemoryError" });
    expect(await run("x = []\nwhile True: x.append(bytearray(10**8))")).toMatchObject({ hasPassed: false, verdict: expect.stringMatching(/MemoryError|was killed|ended after/) });
  });

  test("endless output is ended", async () => {
    expect(await run("while True: print('x' * 1000)")).toMatchObject({ hasPassed: false, verdict: expect.stringContaining("printed more than") });
  });

  test("no process and no thread can be started", async () => {
    expect(await run("import os\nos.fork()")).toMatchObject({ verdict: expect.stringContaining("BlockingIOError") });
    expect(await run("import subprocess\nsubprocess.run(['/bin/sh', '-c', 'true'])")).toMatchObject({ hasPassed: false });
    expect(await run("import threading\nthreading.Thread(target=print).start()")).toMatchObject({ verdict: expect.stringContaining("can't start new thread") });
    expect(await run("import os\nwhile True:\n  try: os.fork()\n  except OSError: pass")).toMatchObject({ hasPassed: false, verdict: expect.stringMatching(outOfTime) });
  });

  describe("files outside", () => {
    let outside: string;
    beforeAll(() => {
      outside = mkdtempSync(join(homedir(), ".nullspace-outside-"));
      writeFileSync(join(outside, "secret"), "do not read");
    });
    afterAll(() => rmSync(outside, { recursive: true, force: true }));

    test("none can be read, written, listed or linked to, in home, /etc or the temp folder", async () => {
      const inTemp = mkdtempSync(join(tmpdir(), "nullspace-outside-"));
      for (const folder of [outside, inTemp, homedir(), "/etc", "/proc"]) {
        // Python's own library may lie in the home folder: that is all that is seen of it.
        const ours = readdirSync(folder).filter((name) => !sandbox!.python.folders.some((path) => path.startsWith(join(folder, name))));
        expect([folder, (await run(`import os\nassert set(os.listdir(${JSON.stringify(folder)})) & set(${JSON.stringify(ours)})`)).hasPassed]).toEqual([folder, false]);
        expect([folder, (await run(`open(${JSON.stringify(join(folder, "written"))}, 'w').write('x')`)).hasPassed]).toEqual([folder, false]);
      }
      expect((await run(`open(${JSON.stringify(join(outside, "secret"))}).read()`)).hasPassed).toBe(false);
      expect((await run(`import os\nos.symlink(${JSON.stringify(outside)}, '/tmp/l')\nopen('/tmp/l/secret').read()`)).hasPassed).toBe(false);
      expect(readdirSync(outside)).toEqual(["secret"]);
      expect(existsSync(join(homedir(), "written"))).toBe(false);
      rmSync(inTemp, { recursive: true, force: true });
    });

    test("the system's own cannot be written", async () => {
      for (const path of ["/usr/written", "/bin/written", "/written", "/dev/written"]) expect([path, (await run(`open('${path}', 'w')`)).hasPassed]).toEqual([path, false]);
    });

    test("a temp file can be, and is gone for the next program", async () => {
      expect(await run("open('/tmp/mine', 'w').write('x')\nassert open('/tmp/mine').read() == 'x'")).toMatchObject({ verdict: "passed" });
      expect(await run("open('/tmp/mine')")).toMatchObject({ verdict: expect.stringContaining("FileNotFoundError") });
      expect(await run("open('/tmp/big', 'wb').write(bytes(10**8))")).toMatchObject({ hasPassed: false });
      expect(await run("for i in range(1000): open(f'/tmp/{i}', 'wb').write(bytes(10**7))")).toMatchObject({ hasPassed: false });
    });
  });

  describe("the network", () => {
    let server: Server;
    let connections = 0;
    beforeAll(() => new Promise<void>((ready) => (server = createServer(() => (connections += 1)).listen(0, "127.0.0.1", ready))));
    afterAll(() => void server.close());

    test("not even this machine is reached", async () => {
      const { port } = server.address() as { port: number };
      expect(await run(`import socket\nsocket.create_connection(('127.0.0.1', ${port}), 1)`)).toMatchObject({ hasPassed: false });
      expect(await run("import urllib.request\nurllib.request.urlopen('http://example.com', timeout=2)")).toMatchObject({ hasPassed: false });
      expect(connections).toBe(0);
    });
  });

  test("it cannot become somebody, mount something or trace the process around it", async () => {
    expect((await run("import os\nos.setuid(0)\nos.listdir('/root')")).hasPassed).toBe(false);
    const libc = "import ctypes\nc = ctypes.CDLL(None, use_errno=True)\n";
    expect(await run(`${libc}assert c.mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0`)).toMatchObject({ hasPassed: false });
    expect(await run(`${libc}assert c.ptrace(16, 1, 0, 0) == 0`)).toMatchObject({ hasPassed: false });
    expect(await run("import resource\nresource.setrlimit(resource.RLIMIT_NPROC, (100, 100))")).toMatchObject({ hasPassed: false });
  });

  test("cancelling ends what runs, and what waits never runs", async () => {
    const controller = new AbortController();
    const programs = Array.from({ length: 4 }, () => sandbox!.run("import time\ntime.sleep(1000)", { signal: controller.signal }));
    setTimeout(() => controller.abort(), 200);
    const ends = await Promise.allSettled(programs);
    expect(ends.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected", "rejected"]);
  });
});

test("a folder without Python, or a Python that is none, is told as such", async () => {
  const before = process.env["NULLSPACE_PYTHON"];
  process.env["NULLSPACE_PYTHON"] = join(tmpdir(), "no-python-here");
  try {
    await expect(openSandbox()).rejects.toMatchObject({ what: expect.stringContaining("No Python 3 was found") });
  } finally {
    if (before === undefined) delete process.env["NULLSPACE_PYTHON"];
    else process.env["NULLSPACE_PYTHON"] = before;
  }
});

const humanEval = sharedFolder === null ? null : sharedData("HumanEval.jsonl.gz");
test.skipIf(sandbox === null || humanEval === null)("HumanEval's own solutions pass, and without their last line they do not", async () => {
  const { asked } = await readTask(humaneval, { questions: humanEval!, split: null, shots: 0, shotsFrom: null, choice: { by: "first" }, limit: 24 });
  const verdicts = async (change: (solution: string) => string): Promise<string[]> =>
    Promise.all(asked.map(async ({ question: { judge, target } }) => (judge.kind === "program" ? (await run(judge.program(change(target!), "plain"))).verdict : "")));
  expect(await verdicts((solution) => solution)).toEqual(asked.map(() => "passed"));
  expect((await verdicts((solution) => `${solution.trimEnd().split("\n").slice(0, -1).join("\n")}\n    pass\n`)).filter((verdict) => verdict === "passed")).toEqual([]);
});
