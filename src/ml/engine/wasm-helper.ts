/**
 * Body of a helper thread of the wasm engine: an instance on the leader's memory, waiting for jobs in native code.
 * Knows nothing of how threads are started: src/app/wasm-helper-thread.ts does.
 * @module
 */
import { instantiate, type WasmMemory, type WasmModule } from './wasm-types.ts'

/** What a helper thread needs; can be posted to it. */
export interface WasmHelperInit {
  readonly module: WasmModule
  readonly memory: WasmMemory
  /** Address of struct sync. */
  readonly sync: number
  /** Highest address of this thread's own stack. */
  readonly stack: number
}

/** A started helper thread. */
export interface WasmHelper {
  /** Ends the thread; it has left native code or is asleep there. */
  stop(): void
}

/** Starts a thread that calls runWasmHelper(init) and must not keep the process alive. */
export type StartWasmHelper = (init: WasmHelperInit) => WasmHelper

/** Takes part in jobs until the stage closes. Blocks the calling thread; asleep between jobs. */
export function runWasmHelper(init: WasmHelperInit): void {
  const exports = instantiate(init.module, init.memory)
  // A stack grows down from here. Addresses above 2 GiB are negative in an i32 global.
  exports.__stack_pointer.value = init.stack | 0
  exports.help(init.sync)
}
