import { createHash } from 'node:crypto'
import { copyFile, link, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { KeyValueStore } from '../../../../src/app/store/key-value.ts'
import { repairStore } from '../../../../src/app/store/level-repair.ts'
import { openLevelStore } from '../../../../src/app/store/level-store.ts'
import { codeOf, messageOf } from '../../../../src/base/error.ts'
import { createChance } from '../../../sim/faults.ts'

/** Batches written by each life of the store, and how many bytes each has. The last life fills more than one log. */
const LIVES = [
  { batches: 40, bytes: 1_000 },
  { batches: 40, bytes: 1_000 },
  { batches: 80, bytes: 60_000 },
] as const
const BATCHES = LIVES.reduce((sum, { batches }) => sum + batches, 0)
const FILLING_MAX = Math.max(...LIVES.map(({ bytes }) => bytes))
const chanceOfNoise = createChance(1)
const NOISE = new Uint8Array(FILLING_MAX).map(() => chanceOfNoise.pick(256))
/** Where each batch writes: keys come back, so that a lost batch shows through later ones. */
const SLOTS = 60

let root = ''
let counter = 0
/** A folder with tables, a log with batches, and a MANIFEST with edits. */
let pristine = ''

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'dllm-damage-'))
  const live = join(root, 'live')
  pristine = join(root, 'pristine')
  let from = 0
  for (const { batches, bytes } of LIVES) {
    const store = await openLevelStore(live)
    for (let number = from; number < from + batches; number++) await writeBatch(store, number, bytes)
    from += batches
    // Copied while open, as after a crash. A log whose batches are in a table is thrown away in the background.
    if (from === BATCHES) {
      await vi.waitFor(async () => expect(await filesLike(/\.log$/, live)).toHaveLength(1), { timeout: 60_000 })
      await copyAll(live, pristine)
    }
    await store.close()
  }
})
afterAll(() => rm(root, { recursive: true }))

/** A batch's number under a slot and in a list of all numbers, and filling that does not compress. */
async function writeBatch(store: KeyValueStore, number: number, bytes: number): Promise<void> {
  const value = keyOf(String(number))
  const filling = NOISE.slice(0, bytes).map((byte) => byte ^ number)
  const entries: [string, Uint8Array][] = [
    [`slot-${number % SLOTS}`, value],
    [`number-${String(number).padStart(5, '0')}`, value],
    [`filling-${number}`, filling],
  ]
  await store.batch(
    entries.map(([key, content]) => ({ type: 'put', key: keyOf(key), value: content })),
    { sync: false },
  )
}

function keyOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text))
}

/** Tables are never written again: the copy has the same files. */
async function copyAll(from: string, to: string): Promise<void> {
  await mkdir(to)
  for (const name of await readdir(from)) {
    await (name.endsWith('.ldb') ? link : copyFile)(join(from, name), join(to, name))
  }
}

/** Instead of what is there, which a copy may share. */
async function replace(path: string, bytes: Uint8Array): Promise<void> {
  await rm(path)
  await writeFile(path, bytes)
}

async function filesLike(pattern: RegExp, folder = pristine): Promise<string[]> {
  return (await readdir(folder)).filter((name) => pattern.test(name)).sort()
}

/** Opens a copy after `damage`; gives how many batches it has, or the code with which it was refused. */
async function openDamaged(
  damage: (folder: string) => Promise<void>,
): Promise<{ folder: string; outcome: number | string }> {
  const folder = join(root, `damaged-${++counter}`)
  await copyAll(pristine, folder)
  await damage(folder)
  const outcome = await countBatches(folder).catch((error: unknown) => {
    expect(messageOf(error)).toMatch(/^The store .* is damaged\. Start the node with --repair/)
    return String(codeOf(error))
  })
  return { folder, outcome }
}

/** Reads everything; the numbers must be 0, 1, 2, … and every slot must hold the last of its numbers. */
async function countBatches(folder: string): Promise<number> {
  const store = await openLevelStore(folder)
  try {
    const entries = new Map<string, Uint8Array>()
    for await (const [key, value] of store.entries()) entries.set(Buffer.from(key).toString(), value)
    const numbers = [...entries.keys()].filter((key) => key.startsWith('number-'))
    expect(numbers).toEqual(numbers.map((_key, index) => `number-${String(index).padStart(5, '0')}`))
    for (let slot = 0; slot < Math.min(SLOTS, numbers.length); slot++) {
      const last = numbers.length - 1 - ((numbers.length - 1 - slot) % SLOTS)
      expect(Buffer.from(entries.get(`slot-${slot}`)!).toString()).toBe(String(last))
    }
    return numbers.length
  } finally {
    await store.close()
  }
}

/** After a repair it opens, nothing in it was made up, and the damaged files are as they were. A damaged log costs its end only. */
async function expectRepairable(folder: string, damagedName: string): Promise<void> {
  const before = await contentsOf(folder)
  const repair = await repairStore(folder)
  expect(repair.damagedPath).toBe(`${folder}.damaged-1`)
  expect(await contentsOf(repair.damagedPath)).toEqual(before)
  if (damagedName.endsWith('.log')) expect(await countBatches(folder)).toBeLessThanOrEqual(BATCHES)
  const store = await openLevelStore(folder)
  for await (const [key, value] of store.entries()) {
    const [kind, number] = Buffer.from(key).toString().split('-')
    expect(['slot', 'number', 'filling']).toContain(kind)
    if (kind === 'number') expect(Buffer.from(value).toString()).toBe(String(Number(number)))
  }
  await store.batch([{ type: 'put', key: keyOf('after'), value: keyOf('repair') }], { sync: true })
  await store.close()
  await rm(folder, { recursive: true })
  await rm(repair.damagedPath, { recursive: true })
}

/** Digests of all files but those that every attempt to open writes anew. */
async function contentsOf(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder)).filter((name) => !/^LO/.test(name)).sort()
  const digestOf = async (name: string) =>
    createHash('sha256')
      .update(await readFile(join(folder, name)))
      .digest('hex')
  const digests = await Promise.all(names.map(digestOf))
  return Object.fromEntries(names.map((name, index) => [name, digests[index]!]))
}

/** Offsets spread over a file, its edges among them. */
function offsetsIn(length: number, count: number): number[] {
  const chance = createChance(length)
  const random = Array.from({ length: count }, () => chance.pick(length))
  return [...new Set([0, 1, length - 1, ...random])].filter((at) => at >= 0 && at < length)
}

describe('a store copied in the middle of its work', () => {
  test('has tables and logs, and opens with all batches', async () => {
    expect((await filesLike(/\.ldb$/)).length).toBeGreaterThan(1)
    expect(await filesLike(/\.log$/)).toHaveLength(1)
    const { folder, outcome } = await openDamaged(async () => undefined)
    expect(outcome).toBe(BATCHES)
    await rm(folder, { recursive: true })
  })
})

describe.each([
  ['CURRENT', /^CURRENT$/, 1],
  ['the MANIFEST', /^MANIFEST/, 5],
  ['a log', /\.log$/, 5],
  ['a table', /\.ldb$/, 1],
])('damage in %s', (_what, pattern, count) => {
  test.each([
    ['cut off at', (bytes: Uint8Array, at: number) => bytes.subarray(0, at)],
    ['with one bit flipped at', (bytes: Uint8Array, at: number) => bytes.with(at, bytes[at]! ^ 4)],
    ['with 64 zeros at', (bytes: Uint8Array, at: number) => bytes.slice().fill(0, at, at + 64)],
    [
      'with 5,000 bytes of garbage at',
      (bytes: Uint8Array, at: number) => {
        const changed = bytes.slice()
        for (let index = at; index < Math.min(at + 5_000, bytes.length); index++) changed[index] = (index * 167) & 255
        return changed
      },
    ],
  ])('%s many places: opens with the first batches, or is refused and can be repaired', async (_how, change) => {
    for (const name of await filesLike(pattern)) {
      const bytes = new Uint8Array(await readFile(join(pristine, name)))
      for (const at of offsetsIn(bytes.length, count)) {
        const { folder, outcome } = await openDamaged((copy) => replace(join(copy, name), change(bytes, at)))
        expect([typeof outcome, outcome]).toEqual(
          typeof outcome === 'number' ? ['number', outcome] : ['string', 'STORE_CORRUPT'],
        )
        if (typeof outcome === 'number') expect(outcome).toBeLessThanOrEqual(BATCHES)
        else await expectRepairable(folder, name)
        await rm(folder, { recursive: true, force: true })
      }
    }
  })

  test('that is the whole file: it is refused and can be repaired', async () => {
    for (const name of await filesLike(pattern)) {
      const { folder, outcome } = await openDamaged((copy) => rm(join(copy, name)))
      expect([name, outcome]).toEqual([name, 'STORE_CORRUPT'])
      await expectRepairable(folder, name)
    }
  })
})
