// The bytes that go to the runtime, read back by the schema.

import { expect, test } from "vitest";
import { GraphBuilder } from "../../native-models/graph/builder.ts";
import { emitOnnx, type OnnxProgram } from "../../native-models/graph/emit-onnx.ts";
import { onnxTypes } from "../../native-models/graph/onnx-schema.ts";
import { openSession } from "../../native-models/runtime/session.ts";

interface ValueInfo { name: string; type: { tensorType: { elemType: number; shape?: { dim?: { dimValue?: string; dimParam?: string }[] } } } }
interface Tensor { name: string; dataType: number; dims?: string[]; dataLocation?: number; externalData?: { key: string; value: string }[] }
interface Node { opType: string; input?: string[]; output: string[]; domain?: string }
interface Model {
  irVersion: string;
  opsetImport: { domain?: string; version: string }[];
  graph: { node: Node[]; initializer?: Tensor[]; input: ValueInfo[]; output: ValueInfo[] };
}

function read({ bytes }: OnnxProgram): Model {
  const type = onnxTypes.lookupType("ModelProto");
  return type.toObject(type.decode(bytes), { longs: String }) as Model;
}

const shapeOf = ({ type }: ValueInfo): string => `${type.tensorType.elemType} [${(type.tensorType.shape?.dim ?? []).map(({ dimValue, dimParam }) => dimParam ?? dimValue).join()}]`;
const signature = (list: readonly ValueInfo[]): Record<string, string> => Object.fromEntries(list.map((info) => [info.name, shapeOf(info)]));

function program(): OnnxProgram {
  const g = new GraphBuilder();
  const ids = g.input("ids", "int64", ["N"]);
  const unread = g.input("unread", "float64", []);
  const table = g.weight("table", "bfloat16", [5, 4], { file: "a model.safetensors", offsetBytes: 1024, sizeBytes: 40 });
  const rows = g.gather(g.cast(table, "float32"), ids);
  g.output("rows", rows);
  g.output("again", rows);
  g.output("same", unread);
  g.output("sum", g.reduceSum(g.add(rows, g.scalar(2)), [0, 1]));
  return emitOnnx(g.graph());
}

test("decodes to the declared inputs and outputs, with their types and shapes", () => {
  const built = program();
  const { graph, irVersion, opsetImport } = read(built);
  expect(signature(graph.input)).toEqual({ ids: "7 [N]", unread: "11 []" });
  expect(signature(graph.output)).toEqual({ rows: "1 [N,4]", again: "1 [N,4]", same: "11 []", sum: "1 []" });
  expect(built.inputs.map(({ name }) => name)).toEqual(graph.input.map(({ name }) => name));
  expect(built.outputs.map(({ name }) => name)).toEqual(graph.output.map(({ name }) => name));
  expect(built.nodeCount).toBe(graph.node.length);
  expect(irVersion).toBe("10");
  expect(opsetImport).toEqual([{ version: "21" }, { domain: "com.microsoft", version: "1" }]);
});

test("a weight is a place in the user's file: no byte of it is copied", () => {
  const built = program();
  const table = read(built).graph.initializer!.find(({ dataLocation }) => dataLocation === 1)!;
  expect(table).toMatchObject({ dataType: 16, dims: ["5", "4"] });
  expect(Object.fromEntries(table.externalData!.map(({ key, value }) => [key, value]))).toEqual({ location: "a model.safetensors", offset: "1024", length: "40" });
  expect(built.bytes.length).toBeLessThan(1500);
});

test("every name that a node reads is an input, a constant or another node's output, each made once", () => {
  const { graph } = read(program());
  const made = [...graph.input.map(({ name }) => name), ...(graph.initializer ?? []).map(({ name }) => name), ...graph.node.flatMap(({ output }) => output.filter((name) => name !== ""))];
  expect(new Set(made).size).toBe(made.length);
  const known = new Set(made);
  for (const name of [...graph.node.flatMap(({ input }) => input ?? []), ...graph.output.map(({ name: output }) => output)]) expect(known.has(name) || name === "", name).toBe(true);
});

test("one value under two output names, and an input that is an output, come out of the runtime", async () => {
  const g = new GraphBuilder();
  const [x, unread] = [g.input("x", "float32", ["N"]), g.input("unread", "float32", [])];
  const y = g.neg(x);
  g.output("y", y);
  g.output("again", y);
  g.output("same", x);
  g.output("constant", g.scalar(4));
  expect(unread.shape).toEqual([]);
  const session = await openSession(emitOnnx(g.graph()), { threads: 1 });
  const outputs = await session.run({ x: { data: Float32Array.of(1, -2), dims: [2] }, unread: { data: Float32Array.of(0), dims: [] } });
  await session.release();
  expect(Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, Array.from(data as Float32Array)]))).toEqual({ y: [-1, 2], again: [-1, 2], same: [1, -2], constant: [4] });
});
