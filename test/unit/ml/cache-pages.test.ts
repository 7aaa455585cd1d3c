/** Pages of caches against a model in which every cache has rows of its own. @module */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createPagePool, type PagedCache, type PageMemory } from '../../../src/ml/engine/cache-pages.ts'
import { PAGE_POSITIONS } from '../../../src/ml/engine/engine.ts'

/** (layers, columns) numbers of pages. */
type Table = Map<string, number>

/** Pages of numbers, which remember what was asked of them. */
function numberPages(pagesMax = Number.POSITIVE_INFINITY) {
  const pages: (number | undefined)[][] = []
  const tables = new Set<Table>()
  const memory: PageMemory<Table> = {
    grow(count) {
      if (count > pagesMax) throw new Error('full')
      expect(count).toBeGreaterThan(pages.length)
      while (pages.length < count) pages.push([])
    },
    openTable() {
      const table: Table = new Map()
      tables.add(table)
      return table
    },
    closeTable: (table) => void expect(tables.delete(table)).toBe(true),
    place(table, column, list) {
      for (const [layer, page] of list.entries()) table.set(`${layer}/${column}`, page)
    },
    copy(from, to, rows) {
      for (const [layer, page] of from.entries()) pages[to[layer]!] = pages[page]!.slice(0, rows)
    },
    clear(list) {
      expect(list).toEqual(list.toSorted((a, b) => a - b))
      for (const page of list) pages[page] = []
    },
  }
  const at = (cache: PagedCache<Table>, layer: number, position: number) => {
    const page = cache.table.get(`${layer}/${Math.floor(position / PAGE_POSITIONS)}`)!
    return { rows: pages[page]!, index: position % PAGE_POSITIONS }
  }
  return {
    ...{ memory, pages, tables },
    write(cache: PagedCache<Table>, position: number, value: number) {
      for (let layer = 0; layer < cache.layers; layer++) {
        const { rows, index } = at(cache, layer, position)
        rows[index] = value * 10 + layer
      }
    },
    read: (cache: PagedCache<Table>, layer: number, position: number) => {
      const { rows, index } = at(cache, layer, position)
      return rows[index]
    },
  }
}

interface Session {
  readonly cache: PagedCache<Table>
  readonly capacity: number
  /** Of each valid position, what was written there. */
  rows: number[]
}

/** Pages with rows that no session reads any more. */
function unreadPages(pages: readonly (readonly unknown[])[], sessions: readonly Session[]): number {
  const read = new Set(sessions.flatMap(({ cache }) => cache.columns.flatMap((column) => column.pages)))
  return pages.filter((rows, page) => rows.length > 0 && !read.has(page)).length
}

const operation = fc.record({
  kind: fc.constantFrom('open', 'share', 'write', 'write', 'write', 'rewind', 'close', 'tidy'),
  one: fc.nat(20),
  amount: fc.nat(200),
  layers: fc.nat(3),
})

test('whatever caches open, share, write, go back and close, each reads its own rows, in no more pages than were promised', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
      const store = numberPages()
      const pool = createPagePool(store.memory)
      let sessions: Session[] = []
      let promised = 0
      let promisedMost = 0
      let value = 0
      const write = (session: Session, position: number, count: number) => {
        pool.prepare(session.cache, position, count)
        session.rows.length = position
        for (let row = 0; row < count; row++) {
          session.rows.push(++value)
          store.write(session.cache, position + row, value)
        }
      }
      const pagesOf = ({ cache }: Session) => cache.columnsMax * cache.layers
      const open = (capacity: number, layers: number): Session => {
        const session: Session = { cache: pool.open(capacity, layers), capacity, rows: [] }
        promised += pagesOf(session)
        promisedMost = Math.max(promised, promisedMost)
        sessions.push(session)
        return session
      }
      for (const { kind, one, amount, layers } of operations) {
        const session = sessions[one % Math.max(sessions.length, 1)]
        if (kind === 'open' || session === undefined) open(1 + amount, layers)
        else if (kind === 'share') {
          const rows = amount % (session.rows.length + 1)
          const to = open(Math.max(rows, 1) + (amount % 70), session.cache.layers)
          pool.share(session.cache, to.cache, rows)
          to.rows = session.rows.slice(0, rows)
        } else if (kind === 'write') {
          const count = Math.min(1 + (amount % 90), session.capacity - session.rows.length)
          if (count > 0) write(session, session.rows.length, count)
        } else if (kind === 'rewind') {
          const position = amount % (session.rows.length + 1)
          if (position < session.capacity) write(session, position, 1)
        } else if (kind === 'tidy') {
          const before = unreadPages(store.pages, sessions)
          const isMore = pool.tidy(one)
          expect(unreadPages(store.pages, sessions)).toBe(Math.max(0, before - one))
          expect(isMore).toBe(before > one)
        } else {
          pool.close(session.cache)
          promised -= pagesOf(session)
          sessions = sessions.filter((other) => other !== session)
        }
        for (const { cache, rows } of sessions) {
          for (let layer = 0; layer < cache.layers; layer++) {
            const found = rows.map((_row, position) => store.read(cache, layer, position))
            expect(found).toEqual(rows.map((row) => row * 10 + layer))
          }
        }
        expect(store.pages.length).toBe(promisedMost)
      }
      for (const { cache } of sessions) pool.close(cache)
      expect(store.tables.size).toBe(0)
      while (pool.tidy(3));
      expect(store.pages.every((rows) => rows.length === 0)).toBe(true)
      // No page was lost: all of them can be had at once.
      const [all, before] = [pool.open(PAGE_POSITIONS * store.pages.length, 1), store.pages.length]
      pool.prepare(all, 0, PAGE_POSITIONS * store.pages.length)
      expect(new Set(all.table.values()).size).toBe(before)
      expect(store.pages.length).toBe(before)
    }),
    { numRuns: 200 },
  )
})

test('pages are taken when they are written, and copied when one of two that read them writes', () => {
  const store = numberPages()
  const pool = createPagePool(store.memory)
  const [from, to] = [pool.open(300, 2), pool.open(300, 2)]
  expect(from.columns.length).toBe(0)
  pool.prepare(from, 0, 100)
  expect(from.table.size).toBe(4)
  pool.share(from, to, 100)
  expect([...to.table]).toEqual([...from.table])
  const shared = [...from.table]
  // The whole first page stays shared, the second is copied by who writes first, and is then the other's alone.
  pool.prepare(from, 100, 1)
  expect(from.table.get('0/0')).toBe(to.table.get('0/0'))
  expect(from.table.get('0/1')).not.toBe(to.table.get('0/1'))
  pool.prepare(to, 100, 1)
  expect([...to.table]).toEqual(shared)
})

test('a cache for which there are no pages leaves nothing behind', () => {
  const store = numberPages(4)
  const pool = createPagePool(store.memory)
  const first = pool.open(130, 1)
  expect(() => pool.open(64, 2)).toThrow('full')
  expect(store.tables.size).toBe(1)
  pool.open(64, 1)
  pool.close(first)
  pool.open(192, 1)
})

test('a cache of more pages than a call takes arguments gives them all back', () => {
  const store = numberPages()
  const pool = createPagePool(store.memory)
  const [layers, columns] = [160, 1_000]
  const large = pool.open(columns * PAGE_POSITIONS, layers)
  pool.prepare(large, 0, columns * PAGE_POSITIONS)
  pool.close(large)
  const next = pool.open(columns * PAGE_POSITIONS, layers)
  pool.prepare(next, 0, columns * PAGE_POSITIONS)
  expect(new Set(next.table.values()).size).toBe(layers * columns)
  expect(store.pages.length).toBe(layers * columns)
})
