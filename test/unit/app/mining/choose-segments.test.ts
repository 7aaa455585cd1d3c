/** Which segments a miner chooses: from what the chain or the peers say, and from what its memory and disk hold. */
import { describe, expect, test } from 'vitest'
import type { MinerView, PlacementView } from '../../../../src/app/chain/market-access.ts'
import { chooseAtStart, createSegmentChooser, holdsAll, runOnDisk } from '../../../../src/app/mining/choose-segments.ts'
import { hostsOfOffers, hostsOfPlacements, segmentNeeds } from '../../../../src/app/mining/placement-facts.ts'
import { mayMoveBy } from '../../../../src/app/mining/plan-posts.ts'
import { type Sighting, sightByOffers, sightOnChain } from '../../../../src/app/mining/sighting.ts'
import { openModelStore, type StoredModel } from '../../../../src/app/model-store.ts'
import type { Post } from '../../../../src/app/posts/post.ts'
import { peerId } from '../../../../src/base/brand.ts'
import { FLOW_MAX } from '../../../../src/core/market/segment-balance.ts'
import type { Offer } from '../../../../src/net/protocols/status.ts'
import { COMMON_RATE } from '../../../placement-swarm.ts'
import { miner, OWN, PEER_KEY, placement } from './views.ts'

const NEVER = new AbortController().signal
/** Six segments: the first and the last twice as large as the others. */
const genesis = openModelStore({ home: '/nowhere' }).find('genesis')
const NEEDS = segmentNeeds(genesis)
const MIDDLE = NEEDS[1]!.bytes
const ALL = NEEDS.reduce((sum, { bytes }) => sum + bytes, 0)
/** Nothing of it is on the disk. */
const absent: StoredModel = { ...genesis, directory: '/nowhere', shardsFolder: '/nowhere/shards' }
/** So slow that no bound of flows is met. */
const SLOW = COMMON_RATE / 100n
const NOBODY: Sighting = { hosts: [], owner: 'me', rate: COMMON_RATE }

function placed(operator: string, first: number, end: number, change: Partial<PlacementView> = {}): PlacementView {
  return { ...placement(), operator, first, end, slots: 2, live: true, ...change }
}

function offer(peer: string, first: number, end: number, stepMicros: number): Offer {
  return {
    ...{ peer: peerId(peer), addresses: [], model: genesis.hash, modelName: 'genesis', segmentCount: 6 },
    ...{ firstSegment: first, lastSegment: end, stepMicros, prefillMicros: 1, sessionsFree: 1, device: '' },
    ...{ roundTrips: [], incarnation: 1n, sequence: 1 },
  }
}

describe('needs of a model', () => {
  test('are the bytes of its shards and the work of a row', () => {
    expect(NEEDS.map(({ bytes }) => bytes)).toEqual(genesis.manifest.segments.map(({ shard }) => shard.bytes))
    for (const { macs } of NEEDS) expect(macs).toBeGreaterThan(100_000)
  })
})

describe('hosts', () => {
  test('are live placements with slots, each owned by its payout account, as fast as audits found or as the market counts', () => {
    const miners = new Map<string, MinerView>([
      ['a', miner({ address: 'a', payout: 'owner', workRate: String(8n * SLOW) })],
      ['b', miner({ address: 'b', payout: 'owner' })],
    ])
    const placements = [
      placed('a', 0, 2),
      placed('b', 2, 4),
      placed('c', 0, 6, { live: false }),
      placed('d', 0, 6, { slots: 0 }),
    ]
    const hosts = hostsOfPlacements(placements, { needs: NEEDS, miners, rateFloor: SLOW })
    expect(hosts.map(({ owner, first, end, isServing }) => [owner, first, end, isServing])).toEqual([
      ['owner', 0, 2, true],
      ['owner', 2, 4, true],
    ])
    const [a, b] = hosts
    expect(a!.flow * (NEEDS[0]!.macs + NEEDS[1]!.macs)).toBeGreaterThan(7 * b!.flow * (NEEDS[2]!.macs + NEEDS[3]!.macs))
  })

  test('are offers, each peer an owner, as fast as it says', () => {
    const hosts = hostsOfOffers([offer('a', 0, 6, 50_000), offer('me', 0, 6, 1), offer('b', 1, 2, 0)], 'me')
    expect(hosts).toEqual([
      { owner: 'a', first: 0, end: 6, isServing: true, flow: 20 * 65_536 },
      { owner: 'b', first: 1, end: 2, isServing: true, flow: FLOW_MAX },
    ])
  })
})

describe('a sighting', () => {
  test.each([
    ['by its operator', { operator: OWN, payout: 'mine' }, 'mine'],
    ['by its peer', { peerKey: PEER_KEY }, 'ldllm1pay'],
  ])('on the chain leaves this machine out, which it finds %s', async (_how, own, owner) => {
    const chain = chainOf([placed(OWN, 1, 3), placed('a', 0, 2)], [miner({ workRate: String(3n * COMMON_RATE) })])
    const { hosts, ...sighting } = await sightOnChain(genesis, { chain, own }, NEVER)
    expect(hosts.map(({ first, end }) => [first, end])).toEqual([[0, 2]])
    expect(sighting).toEqual({ owner, rate: 3n * COMMON_RATE, now: { first: 1, end: 3 } })
  })

  test('by offers finds this machine by its peer', () => {
    const { hosts, ...sighting } = sightByOffers([offer('me', 2, 3, 1), offer('a', 0, 2, 1)], 'me')
    expect(hosts.map(({ owner }) => owner)).toEqual(['a'])
    expect(sighting).toEqual({ owner: 'me', rate: COMMON_RATE, now: { first: 2, end: 3 } })
  })
})

describe('at the start', () => {
  test('a machine that holds all takes all, whoever else is there', () => {
    expect(holdsAll(genesis, ALL)).toBe(true)
    expect(holdsAll(genesis, ALL - 1)).toBe(false)
    const { decision, bytes } = chooseAtStart(absent, { ...NOBODY, hosts: hostsOfOffers([offer('a', 0, 6, 1)]) }, ALL)
    expect([decision.chosen?.first, decision.chosen?.end, bytes]).toEqual([0, 6, ALL])
  })

  test('one that does not keeps half of its room for the run that it moves to', () => {
    const { decision, bytes } = chooseAtStart(absent, NOBODY, 4 * MIDDLE)
    expect(bytes).toBe(2 * MIDDLE)
    expect(decision.chosen!.bytes).toBeLessThanOrEqual(2 * MIDDLE)
    expect(decision.chosen!.end - decision.chosen!.first).toBe(2)
  })

  test('one with room for a single segment takes one', () => {
    const { decision } = chooseAtStart(absent, NOBODY, Math.floor(1.5 * MIDDLE))
    expect(decision.chosen!.end - decision.chosen!.first).toBe(1)
  })

  test('one without room for any takes none', () => {
    expect(chooseAtStart(absent, NOBODY, MIDDLE - 1).decision.chosen).toBeUndefined()
  })

  test('what it served before is kept where nothing is better by enough', () => {
    const hosts = hostsOfOffers([offer('a', 0, 6, 50), offer('b', 0, 6, 50)])
    const { decision } = chooseAtStart(absent, { ...NOBODY, hosts, now: { first: 3, end: 5 } }, 4 * MIDDLE)
    expect(decision.chosen).toMatchObject({ first: 3, end: 5 })
  })

  test('where the disk has all, no run is kept for it', () => {
    const hosts = hostsOfOffers([offer('a', 0, 3, 50)])
    expect(chooseAtStart(genesis, { ...NOBODY, hosts }, 4 * MIDDLE).decision.verdict).toBe('join')
  })

  test.each<readonly [string, readonly number[], number, readonly number[] | undefined]>([
    ['nothing', [], 9, undefined],
    ['one of them', [3], 9, [3, 4]],
    ['two runs, the longer', [0, 2, 3], 9, [2, 4]],
    ['a run that is longer than the room', [1, 2, 3, 4], 2, [1, 3]],
  ])('of a disk that has %s it takes the longest run that fits', (_what, there, segments, run) => {
    const isThere = NEEDS.map((_, index) => there.includes(index))
    const found = runOnDisk(NEEDS, isThere, segments * MIDDLE)
    expect(found && [found.first, found.end]).toEqual(run)
  })
})

describe('while it runs', () => {
  const post = { model: genesis, firstSegment: 1, lastSegment: 3 } as Post
  const crowd = ['a', 'b', 'c'].map((name) => placed(name, 0, 3))
  const chooser = (placements: readonly PlacementView[], { room = 4, mayMove = true } = {}) =>
    createSegmentChooser({
      ...{ chain: chainOf(placements, []), own: { operator: OWN, payout: 'mine' }, posts: () => [post] },
      ...{ weightBytesMax: (2 + room) * MIDDLE, mayMove: () => mayMove },
    })

  test('it moves to segments that nobody serves, and says why', async () => {
    const { move, worth, text } = await chooser(crowd).choose(post, NEVER)
    expect(move).toEqual({ first: 3, end: 6 })
    expect(worth).toEqual([3, 3, expect.any(Number)])
    expect(text).toContain('segments 4 to 6 of genesis instead of segments 2 to 3')
    expect(text).toContain('Nobody else serves them')
  })

  test.each([
    ['segments were named', crowd, { mayMove: false }],
    ['there is no room beside what is loaded', crowd, { room: 0 }],
    ['nobody else serves what it does', [placed('a', 0, 1)], { room: 2 }],
  ])('it stays where %s', async (_why, placements, options) => {
    expect((await chooser(placements, options).choose(post, NEVER)).move).toBeUndefined()
  })

  test('who holds the whole model stays', async () => {
    const whole = { ...post, firstSegment: 0, lastSegment: 6 }
    expect((await chooser(crowd).choose(whole, NEVER)).move).toBeUndefined()
  })

  test.each([
    ['is still good while nobody else does', crowd, true],
    ['is not when others have moved there', [...crowd, placed('d', 3, 6), placed('e', 3, 6), placed('f', 3, 6)], false],
    ['is not when others have left what it serves', [placed('a', 0, 2)], false],
  ])('a move %s', async (_what, placements, isGood) => {
    expect(await chooser(placements).isStillGood(post, { first: 3, end: 6 }, NEVER)).toBe(isGood)
  })
})

describe('who may move', () => {
  const other = { ...genesis, hash: PEER_KEY } as unknown as StoredModel
  const wish = { model: genesis, firstSegment: 0, lastSegment: 6 }
  test.each([
    ['no segments were named', {}, true, true],
    ['segments were named', { segments: '1-2' }, false, false],
    ['those of the model were named', { model: ['genesis:1-2'] }, false, false],
    ['those of another were named', { model: ['genesis', 'other:2'] }, true, false],
  ])('where %s', (_what, flags, ofGenesis, ofOthers) => {
    const wishes = (flags as { model?: string[] }).model?.length === 2 ? [wish, { ...wish, model: other }] : [wish]
    const may = mayMoveBy(flags, wishes)
    expect([may(genesis), may(other)]).toEqual([ofGenesis, ofOthers])
  })
})

function chainOf(placements: readonly PlacementView[], miners: readonly MinerView[]) {
  return {
    parameters: async () => ({ values: { rateFloor: String(COMMON_RATE) } }),
    market: {
      placements: async () => placements,
      miners: async () => ({ height: 1, entries: miners }),
    },
  } as unknown as Parameters<typeof sightOnChain>[1]['chain']
}
