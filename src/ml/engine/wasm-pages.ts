/**
 * Pages of caches in the wasm engine's heap, and their tables as native/exact1.h has them (struct row).
 * @module
 */
import type { ModelConfig } from '../config.ts'
import type { PageMemory } from './cache-pages.ts'
import { PAGE_POSITIONS } from './engine.ts'
import type { Block, WasmHeap } from './wasm-heap.ts'

/** (layers, columns) addresses of pages. */
export interface WasmTable extends Block {
  readonly columns: number
}

export function createWasmPages(
  heap: WasmHeap,
  { keyValueHeadCount, headSize }: Pick<ModelConfig, 'keyValueHeadCount' | 'headSize'>,
): PageMemory<WasmTable> {
  const headWidth = Math.ceil(headSize / 16) * 16
  /** Of each shared head a run of keys and one of values. */
  const runFloats = PAGE_POSITIONS * headWidth
  const pageFloats = keyValueHeadCount * 2 * runFloats
  const addresses: number[] = []

  return {
    grow(count) {
      const missing = count - addresses.length
      const start = heap.reserve(missing * pageFloats * 4)
      for (let index = 0; index < missing; index++) addresses.push(start + index * pageFloats * 4)
    },
    openTable(capacity, layers) {
      const columns = Math.ceil(capacity / PAGE_POSITIONS)
      return { ...heap.lend(layers * columns * 4), columns }
    },
    closeTable: (table) => heap.giveBack(table),
    place(table, column, pages) {
      const words = heap.words()
      for (const [layer, page] of pages.entries()) {
        words[table.address / 4 + layer * table.columns + column] = addresses[page]!
      }
    },
    copy(from, to, rows) {
      const floats = heap.floats()
      for (const [layer, page] of from.entries()) {
        const [source, target] = [addresses[page]! / 4, addresses[to[layer]!]! / 4]
        for (let run = 0; run < pageFloats; run += runFloats) {
          floats.copyWithin(target + run, source + run, source + run + rows * headWidth)
        }
      }
    },
    // No `clear`: a heap of wasm keeps what it has.
  }
}
