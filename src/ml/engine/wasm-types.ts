/**
 * The part of the WebAssembly interface that the wasm engine uses. The language library of this folder (es2024,
 * no host) does not name it, so it is described here and looked up on the global object.
 * @module
 */
import { EngineError } from './engine.ts'

/** A shared WebAssembly.Memory. */
export interface WasmMemory {
  readonly buffer: SharedArrayBuffer
  /** Grows by 64 KiB pages; throws RangeError when the machine or the maximum refuses. */
  grow(pages: number): number
}

/** A compiled WebAssembly.Module: opaque, can be posted to another thread. */
export interface WasmModule {
  readonly kind?: 'module'
}

/** Exports of native/exact1.c. Addresses are bytes from the start of the memory. */
export interface WasmExports {
  readonly __stack_pointer: { value: number }
  run_job(sync: number, job: number, threads: number): void
  help(sync: number): void
  stop_helpers(sync: number): void
  await_helpers(sync: number, count: number, milliseconds: number): number
  pack_f32(from: number, to: number, units: number, width: number): void
  pack_q8(from: number, to: number, units: number, width: number): void
  pack_q4(...addressesThenUnitsGroups: [number, number, number, number, number, number]): void
}

interface WasmHost {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => WasmModule
  readonly Instance: new (
    module: WasmModule,
    imports: { env: { memory: WasmMemory } },
  ) => { readonly exports: WasmExports }
  readonly Memory: new (descriptor: { initial: number; maximum: number; shared: true }) => WasmMemory
  validate(bytes: Uint8Array<ArrayBuffer>): boolean
}

/** WebAssembly of this host; throws ENGINE_UNAVAILABLE where there is none, or none with shared memory. */
export function wasmHost(): WasmHost {
  const host = globalThis as unknown as { WebAssembly?: WasmHost; SharedArrayBuffer?: unknown }
  if (host.WebAssembly === undefined || host.SharedArrayBuffer === undefined) {
    throw new EngineError(
      'ENGINE_UNAVAILABLE',
      'This runtime has no WebAssembly with shared memory; use Node 22.12 or later.',
    )
  }
  return host.WebAssembly
}

/** Runs the module on a memory; each thread has an instance of its own. */
export function instantiate(module: WasmModule, memory: WasmMemory): WasmExports {
  const { Instance } = wasmHost()
  return new Instance(module, { env: { memory } }).exports
}
