/**
 * What the native engine's addon offers (native/cpu/addon.c). Whoever loads it hands it over: Node is not known here.
 * @module
 */

/** Handles are numbers of one environment of Node. Functions throw TypeError for arguments that no sound caller gives. */
export interface NativeBinding {
  /** SHA-256 of the C sources that it was built from. */
  readonly sources: string
  /** Sets of instructions that it was built for, the best first; 1: this processor has them. */
  readonly instructions: Readonly<Record<string, number>>
  /** 1: the kernels of these instructions give the bits of the generic ones here. */
  check(instructions: string): number
  /** A stage without weights; numbers and floats: native/cpu/addon.c, open. Throws ENGINE_OUT_OF_MEMORY. */
  open(instructions: string, numbers: Uint32Array, floats: Float32Array): number
  /** tensor: layer, number in NATIVE_TENSORS, format, rows, columns. Throws ENGINE_OUT_OF_MEMORY. */
  load(
    stage: number,
    tensor: Uint32Array,
    values: Float32Array | Int8Array | Uint8Array,
    ...multipliersAndScales: readonly [Uint8Array | undefined, Float32Array | undefined]
  ): void
  weightBytes(stage: number): number
  /** Number of a cache without pages. Throws ENGINE_OUT_OF_MEMORY. */
  openCache(stage: number, capacity: number, layers: number): number
  closeCache(stage: number, cache: number): void
  /** PageMemory of cache-pages.ts. Throws ENGINE_OUT_OF_MEMORY. */
  growPages(stage: number, count: number): void
  placePages(stage: number, cache: number, column: number, pages: Uint32Array): void
  /** pairs: from, to, from, to, … */
  copyPages(stage: number, pairs: Uint32Array, rows: number): void
  clearPages(stage: number, pages: Uint32Array): void
  /** Runs a pass; writes into x, logits and failed. The arguments' forms: native/cpu/addon.c, run. */
  run(stage: number, pass: Uint32Array, rows: Int32Array, ...arrays: PassArrays): void
  /** As run, computed by another thread: milliseconds that it took. Until then the stage refuses all else, and the arrays are its. */
  runLater(stage: number, pass: Uint32Array, rows: Int32Array, ...arrays: PassArrays): Promise<number>
  /** Lets go of a stage for another environment of this process; the number is for its `take`. */
  give(stage: number): number
  /** The stage that was given under this number, as one of this environment. */
  take(given: number): number
  /** Ends the stage's threads and frees its memory. */
  close(stage: number): void
  /** As close, by another thread. There is no such stage from the call on. */
  closeLater(stage: number): Promise<void>
}

/** x (64, hidden padded), logits (64, vocabulary padded), cosines then sines of the rows (then those of the local rope), failure words. */
export type PassArrays = readonly [x: Float32Array, logits: Float32Array, ropes: Float32Array, failed: Uint32Array]
