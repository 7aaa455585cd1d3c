/**
 * The engine's shared memory: grows in one direction, holds weights and scratch, and lends blocks for session caches.
 * Addresses are bytes from its start. Knows nothing of what the bytes mean.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { ENGINE_LIMITS } from '../../base/limits.ts'
import { EngineError } from './engine.ts'
import { type WasmMemory, wasmHost } from './wasm-types.ts'

const PAGE_BYTES = 65_536
/** Pages of the module's own stack, as linked by scripts/build-wasm.ts; the heap follows. */
const FIRST_PAGES = 16
/** Cache lines; also the alignment that every kernel is content with. */
const ALIGNMENT = 64

export interface Block {
  readonly address: number
  readonly bytes: number
}

export interface WasmHeap {
  readonly memory: WasmMemory
  /** Bytes as they are now: take the view anew after anything that may reserve. */
  bytes(): Uint8Array<SharedArrayBuffer>
  words(): Uint32Array<SharedArrayBuffer>
  floats(): Float32Array<SharedArrayBuffer>
  /** Address of `bytes` zero bytes that are never given back; throws ENGINE_OUT_OF_MEMORY. */
  reserve(bytes: number): number
  /** A block that may be given back; its content is whatever its last user left. Throws ENGINE_OUT_OF_MEMORY. */
  lend(bytes: number): Block
  giveBack(block: Block): void
}

/** A new memory; throws ENGINE_OUT_OF_MEMORY when the host refuses its address space. */
export function createWasmHeap(): WasmHeap {
  const memory = createMemory()
  let top = FIRST_PAGES * PAGE_BYTES
  let free: Block[] = [] // ascending, no two adjacent
  let views = viewsOf(memory)

  function reserve(bytes: number): number {
    const address = top
    const end = address + Math.ceil(bytes / ALIGNMENT) * ALIGNMENT
    growTo(memory, end)
    if (views.bytes.buffer !== memory.buffer) views = viewsOf(memory)
    top = end
    return address
  }

  function lend(bytes: number): Block {
    // Never empty, so that no two blocks have one address.
    const size = Math.ceil(Math.max(bytes, 1) / ALIGNMENT) * ALIGNMENT
    const index = free.findIndex((block) => block.bytes >= size)
    if (index < 0) return { address: reserve(size), bytes: size }
    const { address, bytes: available } = free[index]!
    free.splice(index, 1, ...(available > size ? [{ address: address + size, bytes: available - size }] : []))
    return { address, bytes: size }
  }

  function giveBack(block: Block): void {
    const blocks = [...free, block].sort((a, b) => a.address - b.address)
    free = []
    for (const next of blocks) {
      const last = free.at(-1)
      assert(!last || last.address + last.bytes <= next.address, 'a block is given back once')
      if (last && last.address + last.bytes === next.address) {
        free[free.length - 1] = { address: last.address, bytes: last.bytes + next.bytes }
      } else free.push(next)
    }
  }

  return {
    memory,
    bytes: () => views.bytes,
    words: () => views.words,
    floats: () => views.floats,
    reserve,
    lend,
    giveBack,
  }
}

function createMemory(): WasmMemory {
  const { Memory } = wasmHost()
  try {
    return new Memory({ initial: FIRST_PAGES, maximum: ENGINE_LIMITS.wasmMemoryBytesMax / PAGE_BYTES, shared: true })
  } catch (cause) {
    throw outOfMemory(0, cause)
  }
}

function viewsOf(memory: WasmMemory) {
  const { buffer } = memory
  return { bytes: new Uint8Array(buffer), words: new Uint32Array(buffer), floats: new Float32Array(buffer) }
}

function growTo(memory: WasmMemory, end: number): void {
  if (end > ENGINE_LIMITS.wasmMemoryBytesMax) throw outOfMemory(end)
  const missing = end - memory.buffer.byteLength
  if (missing <= 0) return
  try {
    memory.grow(Math.ceil(missing / PAGE_BYTES))
  } catch (cause) {
    throw outOfMemory(end, cause)
  }
}

function outOfMemory(bytes: number, cause?: unknown): EngineError {
  return new EngineError(
    'ENGINE_OUT_OF_MEMORY',
    'The model part and its sessions do not fit the memory of the wasm engine (4 GiB at most); ' +
      'serve fewer segments, use a smaller number format (q8 or q4), or allow fewer sessions.',
    { details: { bytes, bytesMax: ENGINE_LIMITS.wasmMemoryBytesMax }, cause },
  )
}
