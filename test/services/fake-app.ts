// An app on a store of its own, with fake jobs (test/engine/fake-jobs.ts) and a fake reader of model folders: for tests
// of services, rpc and the command line without a model.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EngineProcess, type Launch, forkEngine } from "../../main/engine/launch.ts";
import { readers, type FolderDescription, type Readers } from "../../main/engine/readers.ts";
import { openApp, type App } from "../../main/services/app.ts";
import { runParams } from "../../main/services/params/runs.ts";

export interface FakeWorld {
  folder: string;
  home: string;
  questions: string;
  data: string;
  /** Makes a model folder; words in its name choose what its jobs do. */
  model(name: string): string;
  open(): App;
  /** Pids of engine processes, in order. */
  pids: number[];
  remove(): Promise<void>;
}

export const jobsModule = new URL("../engine/fake-jobs.ts", import.meta.url).href;

export const fakeReaders: Readers = {
  ...readers,
  describeFolder(folder): FolderDescription {
    const config = {
      modelType: "llama", layers: 2, hidden: 64, heads: 4, kvHeads: 2, headSize: 16, mlpWidth: 128, vocabulary: 100,
      maxPositions: 256, rmsNormEps: 1e-5, rope: { theta: 1e4, llama3: null }, tiedEmbeddings: true, bosId: 1, eosIds: [2], padId: null,
    };
    return { isUsable: true, folder, config, dtypes: ["BF16"], parameters: 1000, sizeBytes: 2000, fingerprint: `print of ${folder}` };
  },
  hasChatTemplate: () => true,
  measuredWidth: (_fingerprint, _cache, width) => ({ ...fakeMeasured, width }),
};

/** As if rounding had been measured already. */
export const fakeMeasured = { questions: 48, tokens: 150, lossNats: 3.412, float32LossNats: 3.409, tokensPerSecond: 65, float32TokensPerSecond: 25, textTokens: 0 };

export function fakeWorld(): FakeWorld {
  const folder = mkdtempSync(join(tmpdir(), "nullspace-app-"));
  const [questions, data] = [join(folder, "questions.jsonl"), join(folder, "rows.jsonl")];
  writeFileSync(questions, '{"question": "what is up", "answer": ["the sky"]}\n');
  writeFileSync(data, '{"query": "1 + 1", "response": "2"}\n');
  const apps: App[] = [];
  const pids: number[] = [];
  const launch: Launch = (env) => {
    const child: EngineProcess = forkEngine(env);
    if (child.pid !== undefined) pids.push(child.pid);
    return child;
  };
  return {
    folder, questions, data, pids,
    home: join(folder, "home"),
    model(name) {
      const path = join(folder, name);
      mkdirSync(path, { recursive: true });
      writeFileSync(join(path, "config.json"), "{}");
      writeFileSync(join(path, "model.safetensors"), "");
      return path;
    },
    open() {
      const app = openApp({ home: join(folder, "home"), engine: { jobsModule, launch, graceMs: 500 }, readers: fakeReaders, pollMs: 50 });
      apps.push(app);
      return app;
    },
    async remove() {
      await Promise.all(apps.map((app) => app.close()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Settings of a small full run. */
export function runSettings(world: FakeWorld, model: string, changes: Partial<Parameters<typeof runParams.parse>[0] & object> = {}) {
  return runParams.parse({
    model: world.model(model), questions: world.questions, data: world.data, samples: 3, steps: 6, checkpointEverySteps: 2,
    probe: { questions: world.questions, limit: 4 }, ...changes,
  });
}

export async function collect<T>(events: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const event of events) all.push(event);
  return all;
}

export async function until(isSo: () => boolean, what: string): Promise<void> {
  for (let tries = 0; tries < 2000; tries++) {
    if (isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`Waited too long until ${what}`);
}
