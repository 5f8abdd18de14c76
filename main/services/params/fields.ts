// Fields that many calls take, and calls that take nothing else.

import { z } from "zod";

export const path = z.string().min(1, "is empty").max(4096);
export const id = z.int().min(1);
export const seed = z.int().min(0).max(2 ** 31 - 1);
export const count = (most: number) => z.int().min(1).max(most);

export const learningRate = z.number().positive().max(10);

export const memoryBytes = z.int().positive().nullable().default(null);

export const dirParams = z.object({ dir: path });
export const pathParams = z.object({ path });
export const idParams = z.object({ id });
export const listParams = z.object({ limit: count(10_000).default(500) }).prefault({});
