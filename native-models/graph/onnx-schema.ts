// The part of ONNX's protobuf schema that we write, as a protobufjs descriptor: field names and numbers as in the
// public onnx.proto (IR version 10). Only tests read ONNX.

import protobuf from "protobufjs/light.js";

type Fields = Record<string, { type: string; id: number; rule?: "repeated"; options?: Record<string, unknown> }>;

const message = (fields: Fields) => ({ fields });
const packed = { packed: true };

const descriptor = {
  nested: {
    ModelProto: message({
      irVersion: { type: "int64", id: 1 },
      producerName: { type: "string", id: 2 },
      graph: { type: "GraphProto", id: 7 },
      opsetImport: { type: "OperatorSetIdProto", id: 8, rule: "repeated" },
    }),
    OperatorSetIdProto: message({ domain: { type: "string", id: 1 }, version: { type: "int64", id: 2 } }),
    GraphProto: message({
      node: { type: "NodeProto", id: 1, rule: "repeated" },
      name: { type: "string", id: 2 },
      valueInfo: { type: "ValueInfoProto", id: 13, rule: "repeated" },
      initializer: { type: "TensorProto", id: 5, rule: "repeated" },
      input: { type: "ValueInfoProto", id: 11, rule: "repeated" },
      output: { type: "ValueInfoProto", id: 12, rule: "repeated" },
    }),
    NodeProto: message({
      input: { type: "string", id: 1, rule: "repeated" },
      output: { type: "string", id: 2, rule: "repeated" },
      name: { type: "string", id: 3 },
      opType: { type: "string", id: 4 },
      attribute: { type: "AttributeProto", id: 5, rule: "repeated" },
      domain: { type: "string", id: 7 },
    }),
    AttributeProto: message({
      name: { type: "string", id: 1 },
      f: { type: "float", id: 2 },
      i: { type: "int64", id: 3 },
      s: { type: "bytes", id: 4 },
      ints: { type: "int64", id: 8, rule: "repeated", options: packed },
      type: { type: "int32", id: 20 },
    }),
    TensorProto: message({
      dims: { type: "int64", id: 1, rule: "repeated", options: packed },
      dataType: { type: "int32", id: 2 },
      name: { type: "string", id: 8 },
      rawData: { type: "bytes", id: 9 },
      externalData: { type: "StringStringEntryProto", id: 13, rule: "repeated" },
      dataLocation: { type: "int32", id: 14 },
    }),
    StringStringEntryProto: message({ key: { type: "string", id: 1 }, value: { type: "string", id: 2 } }),
    ValueInfoProto: message({ name: { type: "string", id: 1 }, type: { type: "TypeProto", id: 2 } }),
    TypeProto: message({ tensorType: { type: "TensorTypeProto", id: 1 } }),
    TensorTypeProto: message({ elemType: { type: "int32", id: 1 }, shape: { type: "TensorShapeProto", id: 2 } }),
    TensorShapeProto: message({ dim: { type: "DimensionProto", id: 1, rule: "repeated" } }),
    DimensionProto: message({ dimValue: { type: "int64", id: 1 }, dimParam: { type: "string", id: 2 } }),
  },
};

export const onnxTypes = protobuf.Root.fromJSON(descriptor);

/** Bytes of a ModelProto given as a plain object with the field names above. */
export function encodeModel(model: Record<string, unknown>): Uint8Array {
  const type = onnxTypes.lookupType("ModelProto");
  return type.encode(type.create(model)).finish();
}

export const attributeType = { float: 1, int: 2, text: 3, ints: 7 } as const;
export const externalLocation = 1;
