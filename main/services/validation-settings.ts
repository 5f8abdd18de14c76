// Validation as the engine's jobs take it, from the params of a call or a stored run.

import type { ValidationSettings } from "../engine/train-jobs.ts";
import type { RunSettings } from "./params/runs.ts";
import { absolute } from "./paths.ts";

/** The one of the three ways that is given. A run that was made before there was validation has none. */
export function validationOf({ validation }: Partial<Pick<RunSettings, "validation">>): ValidationSettings | null {
  if (!validation) return null;
  const { data, rows, share, ...rest } = validation;
  return { ...rest, from: data !== null ? { file: absolute(data) } : rows !== null ? { rows } : { share: share! } };
}
