// A start for a whole small model, from its Gram file to its folder.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openCheckpoint } from "../../native-models/checkpoint/checkpoint.ts";
import { readTensorF32 } from "../../native-models/checkpoint/safetensors.ts";
import type { Checkpoint } from "../../native-models/checkpoint/types.ts";
import { UserError } from "../../native-models/errors.ts";
import { createGramFile, layerInputs, openGramFile, type GramFile } from "../../native-models/nullspace/gram-file.ts";
import type { Method } from "../../native-models/nullspace/types.ts";
import { inputSize, modulesOf } from "../../native-models/programs/names.ts";
import { buildStarts, type BuildOptions, type BuildResult } from "../../native-models/starts/build.ts";
import type { ProjectionStart } from "../../native-models/starts/method.ts";
import { methods } from "../../native-models/starts/methods.ts";
import { readStart, requireStartOf, writeStart, type StartInfo } from "../../native-models/starts/start-folder.ts";
import { gramOf, normalMatrix } from "../nullspace/synthetic.ts";
import { writeTinyModel } from "../support/tiny-model.ts";

let folder: string;
let checkpoint: Checkpoint;
let gramFile: GramFile;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "nullspace-starts-"));
  writeTinyModel(join(folder, "model"), { layers: 3 });
  checkpoint = openCheckpoint(join(folder, "model"));
  gramFile = await writeGrams("grams.safetensors", checkpoint.fingerprint);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function writeGrams(name: string, modelFingerprint: string): Promise<GramFile> {
  const file = join(folder, name);
  const { config } = checkpoint;
  const writer = createGramFile(file, config, { modelFingerprint, questionsFingerprint: "q", samples: 4, length: 20, seed: 0, scaling: "raw" as const, tokens: 80 });
  for (let layer = 0; layer < config.layers; layer++) {
    for (const input of layerInputs) writer.write(layer, input, await gramOf(normalMatrix(80, inputSize(config, input), 10 * layer)));
  }
  writer.finish();
  return openGramFile(file);
}

async function build(settings: Partial<BuildOptions> = {}): Promise<{ starts: Map<string, ProjectionStart>; result: BuildResult }> {
  const starts = new Map<string, ProjectionStart>();
  const result = await buildStarts({ checkpoint, gramFile, method: "lora-null-v1", rank: 4, seed: 0, workers: 1, sink: (module, start) => void starts.set(module.name, start), ...settings });
  return { starts, result };
}

const infoOf = (method: Method, rank: number): Omit<StartInfo, "energies"> => ({
  method, kind: methods[method].kind, rank, seed: 0, modelFingerprint: checkpoint.fingerprint, gramFingerprint: "g", taskGramFingerprint: null,
  modules: modulesOf(checkpoint.config).map(({ name, out, in: size }) => ({ name, out, in: size })),
});

describe("building", () => {
  test("every projection gets its A and B, every layer input its energies", async () => {
    const layersDone: number[] = [];
    const { starts, result } = await build({ onProgress: (done) => layersDone.push(done) });
    const modules = modulesOf(checkpoint.config);
    expect([...starts.keys()]).toEqual(expect.arrayContaining(modules.map(({ name }) => name)));
    for (const { name, out, in: size } of modules) expect([starts.get(name)!.a.length, starts.get(name)!.b.length]).toEqual([4 * size, out * 4]);
    expect(result.modules).toBe(21);
    expect(result.parameters).toBe(modules.reduce((sum, module) => sum + 4 * (module.in + module.out), 0));
    expect(result.energies.map(({ layer, input }) => `${layer} ${input}`)).toEqual([0, 1, 2].flatMap((layer) => layerInputs.map((input) => `${layer} ${input}`)));
    expect(result.energyShare).toBeGreaterThan(0);
    expect(result.energyShare).toBeLessThan(4 / 32);
    expect(layersDone).toEqual([1, 2, 3]);
  });

  test("workers give what one thread gives", async () => {
    const [alone, shared] = [await build(), await build({ workers: 2 })];
    expect(shared.result).toEqual(alone.result);
    for (const [name, start] of alone.starts) expect(shared.starts.get(name), name).toEqual(start);
  });

  test.each([1, 2])("a cancelled build ends with the signal's reason (%d workers)", async (workers) => {
    const controller = new AbortController();
    const stopped = build({ workers, signal: controller.signal, onProgress: () => controller.abort(new Error("asked to stop")) });
    await expect(stopped).rejects.toThrow("asked to stop");
  });

  test.each([1, 2])("a sink that cannot write ends the build (%d workers)", async (workers) => {
    const broken = build({ workers, sink: () => { throw new Error("the disk is full"); } });
    await expect(broken).rejects.toThrow("the disk is full");
  });

  test("LoRA needs no Gram file and has no energies", async () => {
    const { starts, result } = await build({ method: "lora", gramFile: null });
    expect(starts.size).toBe(21);
    expect([result.energies, result.energyShare]).toEqual([[], null]);
  });
});

describe("is refused with a reason", () => {
  const refusal = async (settings: Partial<BuildOptions>): Promise<UserError> => {
    const error = await build(settings).then(() => null, (reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    return error as UserError;
  };

  test("a rank above the smallest projection", async () => {
    const { what, fix } = await refusal({ rank: 17 });
    expect(what).toBe("Rank 17 does not fit model.layers.0.self_attn.k_proj: its weight is 16 × 32, so 16 is the most.");
    expect(fix).toBe("Choose a rank up to 16.");
  });

  test.each([0, -1, 1.5, NaN])("a rank of %d", async (rank) => {
    expect((await refusal({ rank })).where).toBe("init: rank");
  });

  test("a missing Gram file", async () => {
    expect((await refusal({ gramFile: null })).what).toMatch(/lora-null-v1 looks at a Gram file of knowledge text and none was given/);
    expect((await refusal({ method: "eva" })).what).toMatch(/eva looks at a Gram file of task text and none was given/);
  });

  test("Grams of another model", async () => {
    expect((await refusal({ gramFile: await writeGrams("others.safetensors", "another") })).what).toMatch(/made from another model/);
  });

  test.each([1, 2])("a weight that holds NaN, by its name (%d workers)", async (workers) => {
    const broken = join(folder, `broken-${workers}`);
    writeTinyModel(broken, { layers: 3, dtype: "F32" });
    const entry = openCheckpoint(broken).tensors.get("model.layers.1.mlp.up_proj.weight")!;
    const bytes = readFileSync(join(broken, entry.file));
    bytes.writeFloatLE(NaN, entry.offsetBytes);
    writeFileSync(join(broken, entry.file), bytes);
    const damaged = openCheckpoint(broken);
    const grams = await writeGrams(`broken-${workers}.safetensors`, damaged.fingerprint);
    expect((await refusal({ checkpoint: damaged, gramFile: grams, workers })).what).toMatch(/model.layers.1.mlp.up_proj holds NaN/);
  });
});

describe("the start folder", () => {
  async function written(name: string): Promise<{ place: string; starts: Map<string, ProjectionStart> }> {
    const place = join(folder, name);
    const writer = writeStart(place, infoOf("lora-null-v1", 4));
    const { starts, result } = await build();
    for (const [module, start] of starts) writer.write(module, start);
    writer.finish(result.energies);
    return { place, starts };
  }

  test("comes back as it was written", async () => {
    const { place, starts } = await written("start");
    const stored = readStart(place);
    expect(stored.info).toMatchObject(infoOf("lora-null-v1", 4));
    expect(stored.info.energies).toHaveLength(12);
    for (const [name, { a, b, singularValues }] of starts) {
      expect(stored.read(name)).toEqual({ rank: 4, a, b });
      expect(stored.singularValues(name)).toEqual(Float32Array.from(singularValues!));
    }
    expect(readdirSync(place).sort()).toEqual(["start.json", "start.safetensors"]);
    expect(() => requireStartOf(stored, checkpoint.fingerprint)).not.toThrow();
    expect(() => requireStartOf(stored, "another")).toThrow(/made from another model/);
  });

  test("B·A of a stored start is W seen through the stored space: the model's function is unchanged", async () => {
    const { place } = await written("again");
    const { a, b } = readStart(place).read("model.layers.1.self_attn.q_proj");
    const weight = readTensorF32(checkpoint, "model.layers.1.self_attn.q_proj.weight");
    // W − B·A does nothing along the rows of A: (W − B·A)·Aᵀ = 0.
    for (let i = 0; i < 32; i++) {
      for (let r = 0; r < 4; r++) {
        let left = 0;
        for (let j = 0; j < 32; j++) {
          let seen = 0;
          for (let k = 0; k < 4; k++) seen += b[i * 4 + k]! * a[k * 32 + j]!;
          left += (weight[i * 32 + j]! - seen) * a[r * 32 + j]!;
        }
        expect(Math.abs(left)).toBeLessThan(1e-5);
      }
    }
  });

  test("an older start is replaced when the new one is whole, and not before", async () => {
    const { place } = await written("replaced");
    const writer = writeStart(place, infoOf("lora", 2));
    expect(readStart(place).info.method).toBe("lora-null-v1");
    const { starts } = await build({ method: "lora", gramFile: null, rank: 2 });
    for (const [module, start] of starts) writer.write(module, start);
    writer.finish([]);
    expect(readStart(place).info).toMatchObject({ method: "lora", rank: 2, kind: "zero", energies: [] });
    expect(readdirSync(folder).filter((name) => name.startsWith("replaced"))).toEqual(["replaced"]);
  });

  test("an abandoned one leaves nothing behind", () => {
    const writer = writeStart(join(folder, "abandoned"), infoOf("lora", 2));
    writer.abandon();
    expect(readdirSync(folder).filter((name) => name.startsWith("abandoned"))).toEqual([]);
  });

  test("a folder of something else is left alone", () => {
    mkdirSync(join(folder, "letters"));
    writeFileSync(join(folder, "letters/one.txt"), "dear reader");
    expect(() => writeStart(join(folder, "letters"), infoOf("lora", 2))).toThrow(/Something else is there/);
    expect(existsSync(join(folder, "letters/one.txt"))).toBe(true);
  });

  test("a damaged one is refused by file and field", async () => {
    expect(() => readStart(join(folder, "nowhere"))).toThrow(/holds no start.json/);
    const { place } = await written("damaged");
    const json = JSON.parse(readFileSync(join(place, "start.json"), "utf8")) as Record<string, unknown>;
    for (const [field, value] of [["method", "magic"], ["rank", 0], ["kind", "all"], ["modules", [{ name: 1 }]], ["version", 9]] as const) {
      writeFileSync(join(place, "start.json"), JSON.stringify({ ...json, [field]: value }));
      expect(() => readStart(place), field).toThrow(new RegExp(`"${field}" is missing or not as this program writes it`));
    }
    writeFileSync(join(place, "start.json"), JSON.stringify({ ...json, rank: 5 }));
    expect(() => readStart(place).read("model.layers.0.mlp.up_proj")).toThrow(/is \[4, 32\], but start.json says \[5, 32\]/);
  });
});
