// One int32 tensor of a safetensors file in memory: the golden files hold ids, which the model reader does not take.

export function readInts(file: Buffer, name: string): { shape: number[]; values: Int32Array } {
  const headerBytes = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString("utf8", 8, 8 + headerBytes)) as Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  const { dtype, shape, data_offsets: [start, end] } = header[name]!;
  if (dtype !== "I32") throw new Error(`${name} is ${dtype}`);
  const bytes = file.subarray(8 + headerBytes + start, 8 + headerBytes + end);
  return { shape, values: new Int32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)) };
}
