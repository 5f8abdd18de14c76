// An array that is used again and again, as large as the largest use so far.
// For what a layer after layer of starts needs: fresh arrays of megabytes made V8 collect its whole heap 16 times a layer,
// which took a quarter of the processor time, and the system clear each page again.

export class ReusedArray {
  #memory = new Float64Array(0);

  /** `length` values; what they were is undefined, and what was taken before is overwritten. */
  take(length: number): Float64Array<ArrayBuffer> {
    if (this.#memory.length < length) this.#memory = new Float64Array(length);
    return this.#memory.subarray(0, length);
  }
}
