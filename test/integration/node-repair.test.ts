/**
 * `--repair` on files that are really damaged: what is whole is saved, what is not is kept aside, and the node starts again with
 * blocks that it had, or with none.
 */
import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { utf8ToBytes } from '@noble/hashes/utils.js'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openHome } from '../../src/app/home.ts'
import type { FullNode } from '../../src/app/node/node.ts'
import { type NodeFolder, nodeFolder } from '../../src/app/node/node-folders.ts'
import { repairNode } from '../../src/app/node/repair-node.ts'
import { openDisk } from '../../src/app/store/disk.ts'
import { openLevelStore } from '../../src/app/store/level-store.ts'
import { milliseconds } from '../../src/base/brand.ts'
import type { Genesis } from '../../src/core/genesis.ts'
import { INITIAL_PARAMETERS } from '../../src/core/parameters.ts'
import { createMemoryNetwork } from '../../src/net/memory-network.ts'
import { DLLM, genesisValidator, person, signCall } from '../chain-accounts.ts'
import { networkOf, QUICK_SEEDS, startMemoryNode, validatorKeys } from './node-world.ts'

const [owner, friend] = [person(1), person(2)] as const
const BLOCKS = 40

const genesis: Genesis = {
  ...{ name: 'repair', kind: 'local', timeMs: milliseconds(Date.now() - 60_000) },
  parameters: { ...INITIAL_PARAMETERS, commitMs: 10n, epochBlocks: 10n, baseFeeMin: 1n },
  accounts: [{ id: owner.id, balance: 1_000n * DLLM }],
  validators: [genesisValidator(owner, 'owner', 100n * DLLM)],
  models: [],
}
const { networkId } = networkOf(genesis)

let root: string
let model: NodeFolder
let folder: NodeFolder
/** Hashes of the blocks that were final, by height. */
const hashes = new Map<number, string>()

async function folderIn(path: string): Promise<NodeFolder> {
  return nodeFolder(await openHome({ path }), 'one')
}

async function startIn(
  { store, disk }: NodeFolder,
  isNewKey = false,
): Promise<{ node: FullNode; stop(): Promise<void> }> {
  const wire = createMemoryNetwork().createMemoryWire({ listen: true })
  const opened = await openLevelStore(store)
  const node = await startMemoryNode({
    ...{ genesis, keys: validatorKeys(owner), isNewKey, wire, seedScheme: QUICK_SEEDS },
    ...{ store: opened, disk: await openDisk(disk) },
  }).catch(async (error: unknown) => {
    await opened.close()
    throw error
  })
  return {
    node,
    async stop() {
      await node.stop()
      await wire.stop()
    },
  }
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'dllm-repair-'))
  model = await folderIn(join(root, 'model'))
  // Twice, so that LevelDB has tables as well as a log.
  for (const part of [1, 2]) {
    const { node, stop } = await startIn(model, part === 1)
    const leave = new AbortController()
    for await (const { height, hash } of node.access.watch(leave.signal)) {
      if (height > 0) hashes.set(height, hash)
      if (height >= (BLOCKS / 2) * part) break
      const body = { to: friend.id, amount: 1_000n, memo: new Uint8Array(0) }
      const nonce = node.chain.mempool.nextNonce(owner.id)
      await node.access.submit(signCall(networkId, owner, { type: 1, body, nonce }))
    }
    await stop()
  }
})

let cases = 0
beforeEach(async () => {
  folder = await folderIn(join(root, `case-${cases++}`))
  await cp(model.path, folder.path, { recursive: true })
})

afterAll(() => rm(root, { recursive: true, force: true }))

async function filesOf(ending: RegExp): Promise<string[]> {
  return (await readdir(folder.store)).filter((name) => ending.test(name)).map((name) => join(folder.store, name))
}

async function flip(path: string, at: (length: number) => number): Promise<void> {
  const bytes = await readFile(path)
  const place = at(bytes.length)
  bytes[place] = bytes[place]! ^ 0xff
  await writeFile(path, bytes)
}

async function remove(key: string): Promise<void> {
  const store = await openLevelStore(folder.store)
  for await (const [name] of store.entries({ from: utf8ToBytes(key), limit: 1 })) {
    await store.batch([{ type: 'delete', key: name }], { sync: true })
  }
  await store.close()
}

const repair = (): Promise<readonly string[]> => repairNode(folder, { genesis })

describe('a repaired node starts with', () => {
  test.each<[string, string, () => Promise<void>, RegExp]>([
    ['all of it', 'nothing was damaged', async () => undefined, /is whole/],
    [
      'the first blocks',
      'the log has a damaged byte',
      async () => flip((await filesOf(/log$/))[0]!, (length) => length >> 1),
      /bytes of the log were left out/,
    ],
    ['the first blocks', 'the log is cut', async () => truncate((await filesOf(/log$/))[0]!, 5_000), /is whole/],
    [
      'nothing',
      'a table has a damaged byte',
      async () => flip((await filesOf(/ldb$/))[0]!, (length) => length >> 1),
      /begins at the genesis block/,
    ],
    ['nothing', 'a table is gone', async () => rm((await filesOf(/ldb$/))[0]!), /begins at the genesis block/],
    ['nothing', 'the entry of the head is gone', () => remove('m'), /says where the chain stands/],
    ['nothing', 'a block is gone', () => remove('b'), /Block 1 is missing/],
    ['nothing', 'a commit is gone', () => remove('c'), /Block 1 is missing/],
    ['nothing', 'an entry of the state is gone', () => remove('s'), /stored state is not the one/],
    ['nothing', 'a transaction is not found', () => remove('t'), /has transactions that are not found/],
    ['nothing', 'a line of a history is gone', () => remove('a'), /history of an account/],
    ['nothing', 'it is not known what the market did in a block', () => remove('n'), /has no record of the market/],
    ['nothing', 'a hash leads nowhere', () => remove('h'), /not found by its hash/],
    ['nothing', 'a validator set is gone', () => remove('v'), /validators that are not known|is not the one/],
  ])('%s when %s', async (what, _how, damage, sentence) => {
    await damage()
    const done = await repair()
    expect(done.join(' ')).toMatch(sentence)
    const { node, stop } = await startIn(folder)
    const { height, hash } = node.chain.head()
    await stop()
    const known = Math.max(...hashes.keys())
    if (what === 'nothing') expect(height).toBe(0)
    else expect([height > 0, what === 'all of it' || height < known]).toEqual([true, true])
    if (height > 0 && height <= known) expect(hash).toBe(hashes.get(height))
    // What was there before is still there.
    const kept = (await readdir(folder.path)).filter((name) => name.startsWith('chain.damaged'))
    expect(kept.length > 0).toBe(!/is whole/.test(done.join(' ')))
  })
})

test('a second repair finds nothing more', async () => {
  await flip((await filesOf(/log$/))[0]!, (length) => length >> 1)
  await repair()
  expect((await repair()).join(' ')).toMatch(/is whole/)
})

test('another network’s store is left where it is', async () => {
  const other = { ...genesis, name: 'other' }
  await expect(repairNode(folder, { genesis: other })).rejects.toMatchObject({ code: 'CHAIN_STORE_FOREIGN' })
  expect(await readdir(folder.path)).toEqual(expect.arrayContaining(['chain', 'votes']))
})

test('a damaged journal is kept aside, and the validator goes on with its newest vote', async () => {
  const journal = join(folder.disk, 'journal')
  await flip(journal, () => 3)
  const damaged = await readFile(journal)
  await expect(startIn(folder)).rejects.toMatchObject({
    code: 'JOURNAL_DAMAGED',
    message: expect.stringContaining('--repair'),
  })
  expect((await repair()).join(' ')).toMatch(/kept as journal.damaged-1/)
  expect(await readFile(`${journal}.damaged-1`)).toEqual(damaged)
  const { stop } = await startIn(folder)
  await stop()
})

test('a damaged sign state is not repaired: nobody knows what the key has signed', async () => {
  await truncate(join(folder.disk, 'sign-state'), 100)
  await repair()
  await expect(startIn(folder)).rejects.toMatchObject({ code: 'SIGN_STATE_DAMAGED' })
})
