/** What a miner remembers of versions, across its lives. */
import { appendFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openHome } from '../../../../src/app/home.ts'
import { newestNames } from '../../../../src/app/mining/newest-names.ts'
import { openVersionRecords, parseVersionRecords } from '../../../../src/app/mining/version-records.ts'
import type { Network } from '../../../../src/app/networks.ts'
import { type Hash, hash } from '../../../../src/base/brand.ts'
import { MINING_LIMITS } from '../../../../src/base/chain-limits.ts'
import { networkIdOf } from '../../../../src/core/genesis.ts'
import { formatGenesis } from '../../../../src/core/genesis-file.ts'
import { testGenesis } from '../../../chain-accounts.ts'

const [V1, V2, V3, NETWORK] = ['01', '02', '03', '0e'].map((byte) => hash(byte.repeat(32))) as [Hash, Hash, Hash, Hash]

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dllm-records-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

test('what took the place of what is known to the next life, by name and by hash', async () => {
  const records = await openVersionRecords(folder, NETWORK)
  await records.note({ model: V1, name: 'old' }, V2)
  await records.note({ model: V2, name: 'newer' }, V3)
  const again = await openVersionRecords(folder, NETWORK)
  expect([...again.successors]).toEqual([
    [V1, V2],
    [V2, V3],
  ])
  expect([again.find('old'), again.find(V2.toUpperCase()), again.find('another')]).toEqual([V1, V2, undefined])
})

test('another network has records of its own, and of one name the latest counts', async () => {
  const records = await openVersionRecords(folder, NETWORK)
  await records.note({ model: V1, name: 'same' }, V3)
  await records.note({ model: V2, name: 'same' }, V3)
  expect(records.find('same')).toBe(V2)
  await records.note({ model: V1, name: 'same' }, V2)
  expect(records.find('same')).toBe(V1)
  expect((await openVersionRecords(folder, V1)).successors.size).toBe(0)
})

test('who has its place back had it taken by nobody', async () => {
  const records = await openVersionRecords(folder, NETWORK)
  await records.note({ model: V1, name: 'old' }, V2)
  await records.note({ model: V2, name: 'newer' }, V1)
  await records.forget(V1)
  await records.forget(V3)
  const again = await openVersionRecords(folder, NETWORK)
  for (const { successors } of [records, again]) expect([...successors]).toEqual([[V2, V1]])
  expect([again.find('old'), again.find('newer')]).toEqual([undefined, V2])
})

test('no more are kept than the bound says, the latest of them', async () => {
  const at = (number: number): Hash => hash(number.toString(16).padStart(64, '0'))
  const numbers = Array.from({ length: MINING_LIMITS.versionRecordsMax + 2 }, (_, number) => number)
  const text = JSON.stringify(numbers.map((number) => ({ model: at(number), name: `model-${number}`, successor: V3 })))
  expect(text.length).toBeLessThan(MINING_LIMITS.versionRecordsBytesMax)
  const kept = parseVersionRecords(text)
  expect(kept).toHaveLength(MINING_LIMITS.versionRecordsMax)
  expect(kept[0]!.model).toBe(at(2))
})

test('a file that is too large, or none, counts as nothing', async () => {
  const records = await openVersionRecords(folder, NETWORK)
  await records.note({ model: V1, name: 'old' }, V2)
  const [file] = await readdir(join(folder, 'versions'))
  const path = join(folder, 'versions', file!)
  await appendFile(path, ' '.repeat(MINING_LIMITS.versionRecordsBytesMax))
  expect((await openVersionRecords(folder, NETWORK)).successors.size).toBe(0)
  await writeFile(path, 'records')
  expect((await openVersionRecords(folder, NETWORK)).successors.size).toBe(0)
})

test('the name of a model that is gone means what this miner has seen take its place, all else what it says', async () => {
  const home = await openHome({ path: join(folder, 'home') })
  const genesis = testGenesis()
  const network: Network = {
    id: 'one',
    bootstrap: [],
    mdns: false,
    dht: false,
    genesis: JSON.parse(formatGenesis(genesis)),
  }
  const records = await openVersionRecords(home.file('mining', 'miner'), networkIdOf(genesis))
  await records.note({ model: V1, name: 'old' }, V2)
  await records.note({ model: V2, name: 'newer' }, V3)
  await records.note({ model: V2, name: 'genesis' }, V3)
  const printed: string[] = []
  const named = { home, flags: { name: 'miner' }, print: (line: string) => void printed.push(line) }
  expect(await newestNames(['old', 'genesis', V1, 'new'], named, network)).toEqual([V3, 'genesis', V3, 'new'])
  expect(printed[0]).toBe(`old is not here any more. This miner has seen ${V3} take its place, and serves that.`)
  expect(printed).toHaveLength(2)
  const other = { ...named, flags: { name: 'other' } }
  expect(await newestNames(['old'], other, network)).toEqual(['old'])
})

test('names that nobody has seen replaced, and networks without a chain, change nothing', async () => {
  const home = await openHome({ path: join(folder, 'home') })
  const network = { id: 'elsewhere', bootstrap: [], mdns: false, dht: false } as unknown as Network
  const printed: string[] = []
  const named = { home, flags: { name: 'miner' }, print: (line: string) => void printed.push(line) }
  expect(await newestNames(['genesis', 'gone'], named, network)).toEqual(['genesis', 'gone'])
  expect(printed).toEqual([])
})
