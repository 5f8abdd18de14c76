// Plain LoRA adapters as PEFT folders: written so that any PEFT loads them on the untouched base, read with every check.
// In and out: adapter_config.json and adapter_model.safetensors; A [R,in] and B [out,R] as float32.
// The update of a weight is scale·B·A, scale = alpha/R (alpha/√R for rsLoRA).

export { writePeftAdapter } from "./write-peft.ts";
export type { PeftAdapterToWrite, PeftModule } from "./write-peft.ts";
export { readPeftAdapter } from "./read-peft.ts";
export type { LoadedModule, PeftAdapter } from "./read-peft.ts";
export { readAdapterNotes } from "./adapter-notes.ts";
export type { AdapterNotes } from "./adapter-notes.ts";
export { combineWithStart } from "./combine-with-start.ts";
