/**
 * The part of the WebAssembly interface that doctor uses: the language library without a browser does not name it.
 * @module
 */

/** A shared WebAssembly.Memory; can be posted to threads. */
export interface SharedMemory {
  readonly buffer: SharedArrayBuffer
}

interface WebAssemblyHost {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object
  readonly Instance: new (
    module: object,
    imports: { readonly env: { readonly memory: SharedMemory } },
  ) => { readonly exports: Readonly<Record<string, unknown>> }
  readonly Memory: new (pages: { initial: number; maximum: number; shared: true }) => SharedMemory
  validate(bytes: Uint8Array<ArrayBuffer>): boolean
}

/** Every Node that runs this program has it. */
export const webAssembly: WebAssemblyHost = (globalThis as unknown as { WebAssembly: WebAssemblyHost }).WebAssembly
