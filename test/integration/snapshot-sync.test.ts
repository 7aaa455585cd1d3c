/**
 * A newcomer begins with the state at a recent block, proved part by part, and goes on from there; it forgets nothing that it
 * has, and no peer can give it a state that the validators did not sign.
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createLightService } from '../../src/app/light/light-service.ts'
import { genesisTrust, trustOf } from '../../src/app/light/open-light.ts'
import { beginFromSnapshot } from '../../src/app/node/begin-from-snapshot.ts'
import { createNode, type FullNode } from '../../src/app/node/node.ts'
import { createNodeStore } from '../../src/app/node/node-store.ts'
import { decodeSnapshot, encodeSnapshot } from '../../src/app/node/snapshot-format.ts'
import { syncSnapshot } from '../../src/app/node/snapshot-sync.ts'
import { opensslAccepts } from '../../src/app/openssl-verify.ts'
import type { KeyValueStore } from '../../src/app/store/key-value.ts'
import { createSystem } from '../../src/app/system.ts'
import { hash, peerId } from '../../src/base/brand.ts'
import { decodePart, encodePart, type PartPosition } from '../../src/core/state/tree-parts.ts'
import type { Wire } from '../../src/net/wire.ts'
import { createSimDisk } from '../sim/disk.ts'
import { createMemoryStore } from '../sim/store.ts'
import { startRelay, type Tamper } from './chain-relay.ts'
import { type OneNode, startOneNode } from './one-node.ts'

let one: OneNode
const system = createSystem({ level: 'silent' })
let peers = 0

beforeAll(async () => {
  one = await startOneNode({}, { snapshotBlocks: 8 })
  await one.reached(25)
})
afterAll(() => one.stop())

interface Newcomer {
  readonly wire: Wire
  readonly store: KeyValueStore
  fill(checkpoint?: { height: number; hash: ReturnType<typeof hash> }): Promise<number | undefined>
  start(): Promise<FullNode>
}

async function arrive(to: readonly Wire[]): Promise<Newcomer> {
  const wire = one.memory.createMemoryWire({ peer: peerId(`newcomer-${peers++}`), listen: true })
  for (const other of to) await wire.connect(other.addresses()[0]!)
  const store = createMemoryStore()
  const { signal } = new AbortController()
  return {
    ...{ wire, store },
    fill: (checkpoint) =>
      beginFromSnapshot({ network: one.network, checkpoint, store, wire, system, signal, onProgress: () => undefined }),
    start: () =>
      createNode(
        { network: one.network, name: 'newcomer', keys: undefined, isNewKey: false },
        { wire, store, disk: createSimDisk(1).open(), ...system, accepts: opensslAccepts },
      ),
  }
}

describe('a snapshot', () => {
  test('begins a node at a recent height, which then follows the chain', async () => {
    const newcomer = await arrive([one.wire])
    const height = await newcomer.fill()
    expect(height).toBeGreaterThanOrEqual(24)
    expect(height! % 8).toBe(0)
    const node = await newcomer.start()
    expect(node.chain.header.height).toBe(height)
    const reached = await one.reached(height! + 12)
    for await (const head of node.access.watch(new AbortController().signal)) if (head.height >= reached) break
    expect((await node.access.block(reached)).hash).toBe((await one.chain.block(reached)).hash)
    expect((await node.access.head()).supply.genesis).toBe((await one.chain.head()).supply.genesis)
    await node.stop()
    await newcomer.wire.stop()
  })

  test('is not asked for where the store holds a chain already', async () => {
    const newcomer = await arrive([one.wire])
    await newcomer.fill()
    expect(await newcomer.fill()).toBeUndefined()
    await newcomer.wire.stop()
  })

  const LIES: readonly (readonly [string, Tamper])[] = [
    ['a changed value', tamperPart((value) => value.map((byte, at) => (at === 0 ? byte ^ 1 : byte)))],
    ['no entries at all', tamperPart(() => undefined)],
    [
      'the header of another block',
      (question, items) =>
        question.type === 'headers' ? [items[0]!.map((byte) => byte ^ 1), ...items.slice(1)] : items,
    ],
    ['a block that is not the one', (question, items) => (question.type === 'blocks' ? [items[0]!.slice(1)] : items)],
  ]

  test.each(LIES)('with %s is refused, and the store stays empty', async (_lie, tamper) => {
    const liar = await startRelay(one, tamper)
    const newcomer = await arrive([liar])
    await expect(newcomer.fill()).rejects.toMatchObject({
      code: expect.stringMatching(/^(LIGHT_ALL_LIE|SNAPSHOT_GONE|PART_|PROOF_)/),
    })
    for await (const entry of newcomer.store.entries()) expect(entry).toBeUndefined()
    await Promise.all([newcomer.wire.stop(), liar.stop()])
  })

  const DESCRIPTIONS: readonly (readonly [string, readonly PartPosition[]])[] = [
    [
      'that cuts the state into parts that nobody has',
      [
        { depthBits: 1, index: 0 },
        { depthBits: 1, index: 1 },
      ],
    ],
    [
      'whose parts overlap',
      [
        { depthBits: 0, index: 0 },
        { depthBits: 1, index: 1 },
      ],
    ],
    ['without parts', []],
    ['that names a part too many, which its teller does not have', [{ depthBits: 3, index: 1 }]],
  ]
  test.each(DESCRIPTIONS)(
    'described by a liar %s comes from the next, and no honest node is blamed',
    async (_lie, positions) => {
      const liar = await startRelay(one, ({ type }, items) =>
        type === 'snapshot' && items[0] !== undefined
          ? [encodeSnapshot({ ...decodeSnapshot(items[0]), positions })]
          : items,
      )
      const honest = await startRelay(one, (_question, items) => items)
      const { wire } = await arrive([liar, honest])
      const { networkId, genesis } = one.network
      const service = createLightService(
        { networkId, begin: genesisTrust(genesis), ...trustOf(genesis) },
        { wire, ...system, accepts: opensslAccepts, keep: async () => undefined },
      )
      const store = createNodeStore(createMemoryStore())
      const { signal } = new AbortController()
      expect(await syncSnapshot({ networkId, service, store, onProgress: () => undefined, signal })).toBeGreaterThan(0)
      expect(service.lies.map(({ peer }) => peer)).toEqual([liar.peer])
      await Promise.all([wire.stop(), liar.stop(), honest.stop()])
    },
  )

  test('of a chain without the checkpoint is refused', async () => {
    const newcomer = await arrive([one.wire])
    const wrong = { height: 28, hash: hash('ab'.repeat(32)) }
    await expect(newcomer.fill(wrong)).rejects.toMatchObject({ code: 'CHECKPOINT_NOT_FOUND' })
    await newcomer.wire.stop()
  })
})

/** Changes the first entry of each part that has one; undefined takes all entries away. */
function tamperPart(change: (value: Uint8Array) => Uint8Array | undefined): Tamper {
  return (question, items) => {
    if (question.type !== 'snapshot-part' || items[0] === undefined) return items
    const part = decodePart(items[0])
    const [first, ...others] = part.entries
    if (first === undefined) return items
    const value = change(first.value)
    return [encodePart({ ...part, entries: value === undefined ? [] : [{ ...first, value }, ...others] })]
  }
}

test('a node that keeps few blocks has forgotten the older ones, and says from where on it has them', async () => {
  const forgetful = await startOneNode({}, { keepBlocks: 5 })
  await forgetful.reached(12)
  await expect(forgetful.chain.block(2)).rejects.toMatchObject({ code: 'CHAIN_BLOCK_UNKNOWN' })
  const { oldestHeight, height } = forgetful.node.access.status()
  expect(height - oldestHeight).toBeLessThanOrEqual(5)
  expect((await forgetful.chain.block(oldestHeight)).height).toBe(oldestHeight)
  await forgetful.stop()
})
