/**
 * Which memory holds which positions of which cache: pages of 64 positions of one layer, taken when a step first writes there, and
 * read by several caches where one has taken positions over from another. Whoever writes into positions that others read as well gets
 * pages of its own first. What a page is made of, the engine knows.
 * Spec: docs/spec/numerics.md §11.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { PAGE_POSITIONS } from './engine.ts'

/** The pages of one engine's stage, by number, and the tables that its kernels read. */
export interface PageMemory<Table> {
  /** Makes sure that there are `count` pages; throws ENGINE_OUT_OF_MEMORY, and then there are as many as before. */
  grow(count: number): void
  /** Throws ENGINE_OUT_OF_MEMORY. */
  openTable(capacity: number, layers: number): Table
  closeTable(table: Table): void
  /** Positions from 64 · `column` on are in these pages from now on, one of each layer. Columns come in their order, or again. */
  place(table: Table, column: number, pages: readonly number[]): void
  /** Copies the first `rows` positions of each page. */
  copy(from: readonly number[], to: readonly number[], rows: number): void
  /** Nobody needs what these pages hold, in ascending order. Without it pages keep their memory. */
  clear?(pages: readonly number[]): void
}

/** Pages of all layers of a cache for the same positions. */
interface Column {
  readonly pages: readonly number[]
  /** Caches that have it. One of them alone may write. */
  users: number
}

export interface PagedCache<Table> {
  readonly table: Table
  readonly layers: number
  /** That it may have. */
  readonly columnsMax: number
  /** Those that were written so far, or taken over. */
  readonly columns: Column[]
}

export interface PagePool<Table> {
  /** Promises all pages of a cache, which therefore never lacks one; throws ENGINE_OUT_OF_MEMORY, and then leaves nothing behind. */
  open(capacity: number, layers: number): PagedCache<Table>
  /** Before rows are written from `position` on: the positions before stay as they are, those from there on are this cache's alone. */
  prepare(cache: PagedCache<Table>, position: number, rows: number): void
  /** `to`, whose positions are not needed, has the first `rows` positions of `from`. */
  share(from: PagedCache<Table>, to: PagedCache<Table>, rows: number): void
  /** Pages that nobody reads any more are others' at once; their memory goes back by `tidy`. */
  close(cache: PagedCache<Table>): void
  /** Gives back the memory of at most so many pages that nobody reads; whether there are more of them. */
  tidy(pagesMax: number): boolean
}

export function createPagePool<Table>(memory: PageMemory<Table>): PagePool<Table> {
  /** The next one last. */
  let free: number[] = []
  /** Of these, those whose memory was written. */
  const written = new Set<number>()
  let count = 0
  /** A cache is promised pages for itself alone, shared or not: it may go back and write anywhere, whatever the others do. */
  let promised = 0

  function growTo(wanted: number): void {
    if (wanted <= count) return
    memory.grow(wanted)
    const fresh = Array.from({ length: wanted - count }, (_unused, index) => wanted - 1 - index)
    // Those that were in use before come first: they have taken memory of the system already.
    free = [...fresh, ...free]
    count = wanted
  }

  function take(layers: number): Column {
    assert(free.length >= layers, 'pages that were promised are there')
    const pages = Array.from({ length: layers }, () => free.pop()!)
    for (const page of pages) written.delete(page)
    return { pages, users: 1 }
  }

  function leave(columns: readonly Column[]): void {
    for (const column of columns) column.users -= 1
    const unused = columns.filter(({ users }) => users === 0).flatMap(({ pages }) => pages)
    unused.sort((a, b) => b - a)
    // One by one: a long context of many layers has more pages than a call takes arguments.
    for (const page of unused) {
      free.push(page)
      if (memory.clear !== undefined) written.add(page)
    }
  }

  return {
    open(capacity, layers) {
      const columnsMax = columnsOf(capacity)
      const table = memory.openTable(capacity, layers)
      try {
        growTo(promised + columnsMax * layers)
      } catch (error) {
        memory.closeTable(table)
        throw error
      }
      promised += columnsMax * layers
      return { table, layers, columnsMax, columns: [] }
    },
    prepare(cache, position, rows) {
      const { table, layers, columns } = cache
      for (let index = Math.floor(position / PAGE_POSITIONS); index < columnsOf(position + rows); index++) {
        const had = columns[index]
        if (had?.users === 1) continue
        assert(index <= columns.length && index < cache.columnsMax, 'positions are written in their order')
        const own = take(layers)
        const kept = position - index * PAGE_POSITIONS
        if (had !== undefined) {
          if (kept > 0) memory.copy(had.pages, own.pages, kept)
          leave([had])
        }
        columns[index] = own
        memory.place(table, index, own.pages)
      }
    },
    share(from, to, rows) {
      leave(to.columns.splice(0))
      for (const [index, column] of from.columns.slice(0, columnsOf(rows)).entries()) {
        column.users += 1
        to.columns.push(column)
        memory.place(to.table, index, column.pages)
      }
    },
    close(cache) {
      memory.closeTable(cache.table)
      leave(cache.columns.splice(0))
      promised -= cache.columnsMax * cache.layers
    },
    tidy(pagesMax) {
      const pages: number[] = []
      for (const page of written) {
        if (pages.length >= pagesMax) break
        pages.push(page)
        written.delete(page)
      }
      if (pages.length > 0) memory.clear?.(pages.sort((a, b) => a - b))
      return written.size > 0
    },
  }
}

function columnsOf(positions: number): number {
  return Math.ceil(positions / PAGE_POSITIONS)
}
