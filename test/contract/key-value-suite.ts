/**
 * What every KeyValueStore must do. `key-value.test.ts` runs it over LevelDB and over the simulator's store.
 * @module
 */
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BatchOperation, EntryRange, KeyValueStore } from '../../src/app/store/key-value.ts'
import { createTurns } from '../../src/app/turns.ts'
import { realClock } from './real-clock.ts'

const NOT_SYNCED = { sync: false } as const

export function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'))
}

export function put(key: string, value: string | Uint8Array): BatchOperation {
  return { type: 'put', key: bytesOf(key), value: typeof value === 'string' ? bytesOf(value) : value }
}

export function remove(key: string): BatchOperation {
  return { type: 'delete', key: bytesOf(key) }
}

/** All entries of a range, as `key=value`. */
export async function listEntries(store: KeyValueStore, range?: EntryRange): Promise<string[]> {
  const found: string[] = []
  for await (const [key, value] of store.entries(range)) found.push(`${latin1(key)}=${latin1(value)}`)
  return found
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

async function codeFrom(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'resolved',
    (error: unknown) => (error as { code?: unknown }).code ?? error,
  )
}

/** `open` opens a new empty store each time; `reopen` opens the last one again after it was closed. */
export interface StoreFactory {
  open(): Promise<KeyValueStore>
  reopen(): Promise<KeyValueStore>
}

export function describeKeyValueStore(name: string, factory: StoreFactory): void {
  describe(`${name} store`, () => {
    let store: KeyValueStore
    beforeEach(async () => {
      store = await factory.open()
    })
    afterEach(() => store.close())

    describe('batches', () => {
      test('put, overwrite and delete', async () => {
        await store.batch([put('a', '1'), put('b', '2'), put('c', '')], NOT_SYNCED)
        await store.batch([put('a', '3'), remove('b'), remove('nothing')], { sync: true })
        expect(await listEntries(store)).toEqual(['a=3', 'c='])
        expect(await store.get(bytesOf('a'))).toEqual(bytesOf('3'))
        expect(await store.get(bytesOf('b'))).toBeUndefined()
        expect(await store.get(bytesOf('c'))).toEqual(new Uint8Array())
      })

      test('apply their operations in order', async () => {
        await store.batch(
          [put('a', '1'), remove('a'), put('b', '1'), put('b', '2'), put('c', '1'), remove('c')],
          NOT_SYNCED,
        )
        expect(await listEntries(store)).toEqual(['b=2'])
      })

      test('may be empty', async () => {
        await store.batch([], { sync: true })
        expect(await listEntries(store)).toEqual([])
      })

      test('that are not waited for take effect in the order of the calls', async () => {
        const batches = Array.from({ length: 200 }, (_, index) =>
          store.batch([put('last', String(index)), put(`k${index}`, 'x')], { sync: index % 50 === 0 }),
        )
        await Promise.all(batches)
        expect(await store.get(bytesOf('last'))).toEqual(bytesOf('199'))
        expect(await listEntries(store, { from: bytesOf('k'), until: bytesOf('l') })).toHaveLength(200)
      })

      test('put together in turns are whole, in their order and in the order of the calls', async () => {
        const keys = Array.from({ length: 400 }, (_, at) => `k${String(at).padStart(3, '0')}`)
        const all = keys.map((key) => put(key, key))
        const turns = createTurns(realClock, 1)
        const slow = store.batch([...all, remove('k007'), put('last', 'slow')], { sync: true, turns })
        const next = store.batch([put('last', 'next'), put('k000', 'next')], NOT_SYNCED)
        await Promise.all([slow, next])
        const found = await listEntries(store)
        expect(found).toHaveLength(400)
        expect([found[0], found.at(-1)]).toEqual(['k000=next', 'last=next'])
      })

      test('keep what was given even when the caller reuses the bytes', async () => {
        const key = bytesOf('key')
        const value = bytesOf('value')
        const done = store.batch([{ type: 'put', key, value }], NOT_SYNCED)
        key.fill(0)
        value.fill(0)
        await done
        expect(await listEntries(store)).toEqual(['key=value'])
      })

      test.each([
        ['an empty key', { type: 'put', key: new Uint8Array(), value: new Uint8Array() }],
        ['an empty key to delete', { type: 'delete', key: new Uint8Array() }],
        ['a key over 1 KiB', { type: 'put', key: new Uint8Array(1025), value: new Uint8Array() }],
        ['a value over 4 MiB', { type: 'put', key: bytesOf('k'), value: new Uint8Array(4 * 1024 * 1024 + 1) }],
      ] as const)('with %s are bugs, and nothing of them happens', async (_what, operation) => {
        await expect(store.batch([put('a', '1'), operation], NOT_SYNCED)).rejects.toThrow(/key|value/)
        expect(await listEntries(store)).toEqual([])
      })

      test('hold values of 4 MiB', async () => {
        const value = new Uint8Array(4 * 1024 * 1024)
        for (let index = 0; index < value.length; index += 4_093) value[index] = index % 251
        await store.batch([put('large', value), put('small', 's')], { sync: true })
        const found = await store.get(bytesOf('large'))
        expect(found && Buffer.compare(found, value)).toBe(0)
        expect(found?.constructor).toBe(Uint8Array)
      })
    })

    describe('entries', () => {
      const keys = ['\x00', '\x00\x00', '\x01', 'a', 'a\x00', 'a\xff', 'b', '\x7f', '\x80', '\xff', '\xff\xff']
      beforeEach(() =>
        store.batch(
          [...keys].reverse().map((key) => put(key, 'v')),
          NOT_SYNCED,
        ),
      )
      const listKeys = async (range?: EntryRange) =>
        (await listEntries(store, range)).map((entry) => entry.slice(0, -2))

      test('come in byte order, forwards and backwards', async () => {
        expect(await listKeys()).toEqual(keys)
        expect(await listKeys({ reverse: true })).toEqual([...keys].reverse())
      })

      test.each<[string, EntryRange, string[]]>([
        ['from, itself included', { from: bytesOf('\x7f') }, ['\x7f', '\x80', '\xff', '\xff\xff']],
        ['until, itself excluded', { until: bytesOf('\x01') }, ['\x00', '\x00\x00']],
        ['between keys that are not there', { from: bytesOf('Z'), until: bytesOf('aa') }, ['a', 'a\x00']],
        ['at most so many', { from: bytesOf('a'), limit: 2 }, ['a', 'a\x00']],
        [
          'backwards within a range',
          { from: bytesOf('a'), until: bytesOf('b'), reverse: true },
          ['a\xff', 'a\x00', 'a'],
        ],
        ['the last few', { limit: 2, reverse: true }, ['\xff\xff', '\xff']],
        ['none', { limit: 0 }, []],
        ['none of an empty range', { from: bytesOf('a'), until: bytesOf('a') }, []],
        ['none of a range the wrong way round', { from: bytesOf('b'), until: bytesOf('a') }, []],
      ])('can be asked for: %s', async (_what, range, expected) => {
        expect(await listKeys(range)).toEqual(expected)
      })

      test('are those of one moment', async () => {
        const seen: string[] = []
        for await (const [key] of store.entries()) {
          if (seen.length === 0) await store.batch([put('new', 'v'), ...keys.map(remove)], NOT_SYNCED)
          seen.push(latin1(key))
        }
        expect(seen).toEqual(keys)
        expect(await listKeys()).toEqual(['new'])
      })

      test('can be left in the middle', async () => {
        for await (const [key] of store.entries()) {
          if (latin1(key) === 'a') break
        }
        await store.batch([put('z', 'v')], NOT_SYNCED)
        expect(await listKeys({ from: bytesOf('z'), limit: 1 })).toEqual(['z'])
      })
    })

    describe('closed', () => {
      test('refuses everything and can be closed again', async () => {
        const iterator = store.entries()[Symbol.asyncIterator]()
        await store.batch([put('a', '1')], NOT_SYNCED)
        await iterator.next()
        await store.close()
        expect(await codeFrom(store.get(bytesOf('a')))).toBe('STORE_CLOSED')
        expect(await codeFrom(store.batch([], NOT_SYNCED))).toBe('STORE_CLOSED')
        expect(await codeFrom(listEntries(store))).toBe('STORE_CLOSED')
        expect(await codeFrom(iterator.next())).toBe('STORE_CLOSED')
        await store.close()
      })

      test('finishes the batches that were under way, and opens again with them', async () => {
        const batch = store.batch([put('a', '1')], NOT_SYNCED)
        await store.close()
        await batch
        store = await factory.reopen()
        expect(await listEntries(store)).toEqual(['a=1'])
      })
    })

    test('equals a sorted list, whatever is done to it', async () => {
      const key = fc.constantFrom('a', 'ab', 'b', '\x00', '\xff', 'c')
      const operation = fc.oneof(
        fc.tuple(key, fc.string({ maxLength: 3 })).map(([k, v]) => put(k, v.replace(/[^\x20-\x7e]/g, '?'))),
        key.map(remove),
      )
      await fc.assert(
        fc.asyncProperty(fc.array(fc.array(operation, { maxLength: 5 }), { maxLength: 8 }), async (batches) => {
          const model = new Map<string, string>()
          const clear = (await listEntries(store)).map((entry) => remove(entry.slice(0, entry.indexOf('='))))
          await store.batch(clear, NOT_SYNCED)
          for (const batch of batches) {
            await store.batch(batch, NOT_SYNCED)
            for (const step of batch) {
              if (step.type === 'put') model.set(latin1(step.key), latin1(step.value))
              else model.delete(latin1(step.key))
            }
          }
          const expected = [...model]
            .map(([k, v]) => `${k}=${v}`)
            .sort((a, b) => (a.split('=')[0]! < b.split('=')[0]! ? -1 : 1))
          expect(await listEntries(store)).toEqual(expected)
        }),
        { numRuns: 50 },
      )
    })
  })
}
