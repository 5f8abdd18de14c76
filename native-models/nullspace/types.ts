// What passes between calibration, the solver, the starts and the trainer.

/** Gram matrix of one linear input, Σ x xᵀ over calibration tokens: symmetric, row-major [size,size], float64. */
export interface Gram {
  size: number;
  values: Float64Array;
  /** Σ x [size] over the same tokens, and how many they count for: what makes a covariance of it. Gram files have it. */
  centre?: { sum: Float64Array; count: number };
}

/** The four distinct inputs of a decoder layer: q,k,v share one and gate,up share one. */
export type LayerInput = "attention" | "attentionOutput" | "mlp" | "mlpDown";

/** R orthonormal directions of R^D that the calibration text uses least: basis [D,R], row-major. */
export interface NullBasis {
  size: number;
  rank: number;
  basis: Float64Array;
  /** tr(Uᵀ G U): the calibration energy left inside the subspace. */
  energy: number;
  /** Estimated bound on how far `energy` lies above the least that any R directions can have; null where that is not sought. */
  energyExcess: number | null;
  /** tr(G), for the ratio. */
  totalEnergy: number;
  /** Rayleigh–Ritz values of the R directions, ascending. */
  ritzValues: Float64Array;
  /** The R+1-st Ritz value: the gap tells how sharply the subspace is defined. */
  nextRitzValue: number | null;
  iterations: number;
}

/** A start for one projection: W0 = (W0 − scale·B·A) + scale·B·A. A [R,in], B [out,R], row-major float32; scale 1. */
export interface AdapterStart {
  rank: number;
  a: Float32Array;
  b: Float32Array;
}

/** Ways to start an adapter; each is a row of starts/methods.ts. */
export type Method =
  | "lora-null-v1" | "lora-null-v2" | "lora"
  | "pissa" | "milora" | "corda-knowledge" | "corda-task" | "olora" | "eva" | "task-null";
