// All trainables, their moments and gradients, each kind as one flat vector with a named view per tensor. Views are fed
// to the runtime and written by it in place, so a step copies no parameter.

import type { TensorLayout } from "../programs/train-program.ts";
import { f32, type TensorData } from "../runtime/session.ts";

export interface ParameterView {
  name: string;
  shape: readonly [number, number];
  offset: number;
  size: number;
}

export interface TrainState {
  views: readonly ParameterView[];
  /** [P] each. */
  parameters: Float32Array;
  firstMoments: Float32Array;
  secondMoments: Float32Array;
  /** Optimizer steps finished. */
  step: number;
}

export function createState(layout: readonly TensorLayout[], initial: (name: string) => Float32Array): TrainState {
  const views = viewsOf(layout);
  const parameters = new Float32Array(sizeOf(views));
  for (const view of views) {
    const values = initial(view.name);
    if (values.length !== view.size) throw new Error(`${view.name} starts with ${values.length} values, but its shape ${view.shape} has ${view.size}`);
    parameters.set(values, view.offset);
  }
  const { length } = parameters;
  return { views, parameters, firstMoments: new Float32Array(length), secondMoments: new Float32Array(length), step: 0 };
}

/** The places of tensors in a flat vector, one after the other. */
export function viewsOf(layout: readonly Pick<TensorLayout, "name" | "shape">[]): ParameterView[] {
  let offset = 0;
  return layout.map(({ name, shape }) => {
    const size = shape[0] * shape[1];
    offset += size;
    return { name, shape, offset: offset - size, size };
  });
}

export function sizeOf(views: readonly ParameterView[]): number {
  const last = views.at(-1);
  return last === undefined ? 0 : last.offset + last.size;
}

/** The tensor `view` of a flat vector, sharing its memory. */
export function viewOf(flat: Float32Array, { offset, size, shape }: ParameterView): TensorData {
  return f32(flat.subarray(offset, offset + size), ...shape);
}
