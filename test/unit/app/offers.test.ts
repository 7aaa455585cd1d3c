import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  createNodeIdentity,
  loadNodeIdentity,
  type NodeIdentity,
  peerOfPublicKey,
  publicKeyOfPeer,
} from '../../../src/app/node-identity.ts'
import { createOfferBook, isOfferValid, type OfferBook, signOffer } from '../../../src/app/offers.ts'
import { createSystem } from '../../../src/app/system.ts'
import { hash, peerId } from '../../../src/base/brand.ts'
import { DEADLINES, MODEL_LIMITS, WIRE_LIMITS } from '../../../src/base/limits.ts'
import { keyPairFromSecret } from '../../../src/core/ed25519.ts'
import type { Offer, ToldOffer } from '../../../src/net/protocols/status.ts'
import { createFakeClock, type FakeClock } from '../../fake-clock.ts'

const NETWORK = 'testnet'
const MODEL = hash('ab'.repeat(32))
const { random } = createSystem()

let miner: NodeIdentity
let other: NodeIdentity
let clock: FakeClock
let book: OfferBook

beforeAll(async () => {
  miner = await createNodeIdentity(random)
  other = await createNodeIdentity(random)
})
beforeEach(() => {
  clock = createFakeClock()
  book = createOfferBook(NETWORK, { clock })
})

function offerOf(change: Partial<Offer> = {}): Offer {
  return {
    peer: miner.peer,
    addresses: ['/ip4/127.0.0.1/tcp/4001'],
    model: MODEL,
    modelName: 'genesis',
    segmentCount: 6,
    firstSegment: 0,
    lastSegment: 2,
    stepMicros: 900,
    prefillMicros: 90,
    sessionsFree: 64,
    device: 'reference',
    roundTrips: [],
    incarnation: 5n,
    sequence: 7,
    ...change,
  }
}

const told = (change: Partial<Offer> = {}, ageMs = 0, identity = miner): ToldOffer => {
  return { ...signOffer(offerOf({ peer: identity.peer, ...change }), NETWORK, identity.secretKey), ageMs }
}

const sequences = () => book.list().map(({ offer }) => offer.sequence)

describe('an offer counts', () => {
  test('with its miner’s signature', () => {
    expect(isOfferValid(told(), NETWORK)).toBe(true)
    expect(book.take([told()])).toBe(1)
    expect(book.ofModel(MODEL)).toEqual([offerOf()])
    expect(book.ofModel(hash('cd'.repeat(32)))).toEqual([])
  })

  test('not on another network', () => {
    expect(isOfferValid(signOffer(offerOf(), 'othernet', miner.secretKey), NETWORK)).toBe(false)
    expect(book.take([{ ...signOffer(offerOf(), 'othernet', miner.secretKey), ageMs: 0 }])).toBe(0)
  })

  test.each<[string, () => ToldOffer]>([
    ['signed by somebody else', () => ({ ...signOffer(offerOf(), NETWORK, other.secretKey), ageMs: 0 })],
    ['changed after it was signed', () => ({ ...told(), offer: offerOf({ stepMicros: 1 }) })],
    ['with the signature of another offer', () => ({ ...told(), signature: told({ sequence: 8 }).signature })],
    ['with an empty signature', () => ({ ...told(), signature: new Uint8Array(64) })],
    ['of a peer whose id has no Ed25519 key', () => told({ peer: peerId('memory-1') })],
    ['of a peer whose id is no text of a key', () => told({ peer: peerId('0OIl') })],
    ['of a peer whose id ends early', () => told({ peer: peerId(miner.peer.slice(0, 20)) })],
    ['that is too old', () => told({}, DEADLINES.offerMs + 1)],
    ['from the future', () => told({}, -1)],
    ['of no age', () => told({}, Number.NaN)],
    ['of no segments', () => told({ firstSegment: 2, lastSegment: 2 })],
    ['that ends before it begins', () => told({ firstSegment: 3, lastSegment: 2 })],
    ['past the end of its model', () => told({ lastSegment: 7 })],
    ['of a model too long to be', () => told({ segmentCount: MODEL_LIMITS.segmentsMax + 1 })],
  ])('not %s', (_case, make) => {
    expect(book.take([make()])).toBe(0)
    expect(book.list()).toEqual([])
  })
})

describe('of two offers of one run', () => {
  test('a later sequence replaces an earlier one, and not the other way round', () => {
    expect(book.take([told({ sequence: 7 }), told({ sequence: 8 }), told({ sequence: 6 })])).toBe(2)
    expect(sequences()).toEqual([8])
  })

  test('a miner that came back replaces its ghost, however far the ghost had counted', () => {
    book.take([told({ incarnation: 5n, sequence: 900 })])
    expect(book.take([told({ incarnation: 6n, sequence: 0 })])).toBe(1)
    expect(book.take([told({ incarnation: 5n, sequence: 901 })])).toBe(0)
    expect(sequences()).toEqual([0])
  })

  test('the same one again, told by somebody else, makes it no younger', () => {
    book.take([told({}, 30_000)])
    expect(book.take([told({}, 0)])).toBe(0)
    expect(book.list()[0]!.ageMs).toBe(30_000)
  })
})

describe('an offer ends', () => {
  test('when it was not renewed for so long', () => {
    book.take([told()])
    clock.advance(DEADLINES.offerMs)
    expect(book.list()).toHaveLength(1)
    clock.advance(1)
    expect(book.list()).toEqual([])
    expect(book.ofModel(MODEL)).toEqual([])
  })

  test('counted from its miner, however often it was passed on', () => {
    const hops = Array.from({ length: 3 }, () => createOfferBook(NETWORK, { clock }))
    let passed = [told()]
    for (const hop of hops) {
      hop.take(passed)
      clock.advance(10_000)
      passed = hop.list()
    }
    expect(passed[0]!.ageMs).toBe(30_000)
    book.take(passed)
    clock.advance(DEADLINES.offerMs - 30_000)
    expect(book.list()).toHaveLength(1)
    clock.advance(1)
    expect(book.list()).toEqual([])
  })

  test('unless it is renewed', () => {
    book.take([told()])
    clock.advance(DEADLINES.offerMs)
    book.take([told({ sequence: 8 })])
    clock.advance(DEADLINES.offerMs)
    expect(sequences()).toEqual([8])
  })
})

test('the book holds so many offers; those in it can still be renewed, and room comes with time', () => {
  const runs = Array.from({ length: WIRE_LIMITS.offersMax }, (_, index) => {
    return told({ segmentCount: 200, firstSegment: index, lastSegment: index + 1 })
  })
  expect(book.take(runs)).toBe(WIRE_LIMITS.offersMax)
  expect(book.take([told({}, 0, other)])).toBe(0)
  expect(book.take([told({ segmentCount: 200, firstSegment: 0, lastSegment: 1, sequence: 8 })])).toBe(1)
  expect(book.list()).toHaveLength(WIRE_LIMITS.offersMax)
  clock.advance(DEADLINES.offerMs + 1)
  expect(book.take([told({}, 0, other)])).toBe(1)
})

describe('the identity of a node', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dllm-identity-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  test('is made once, for its owner only, and is the same ever after', async () => {
    const path = join(folder, 'fresh', 'node.key')
    const first = await loadNodeIdentity(path, random)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await loadNodeIdentity(path, random)).toEqual(first)
  })

  test('is an Ed25519 key that its peer id names', async () => {
    const { publicKey } = keyPairFromSecret(miner.secretKey)
    expect(publicKeyOfPeer(miner.peer)).toEqual(publicKey)
    expect(peerOfPublicKey(publicKey)).toBe(miner.peer)
    expect(other.peer).not.toBe(miner.peer)
  })

  test.each<[string, (key: Uint8Array) => Uint8Array]>([
    ['empty', () => new Uint8Array(0)],
    ['cut short', (key) => key.slice(0, -1)],
    ['too long', (key) => Uint8Array.of(...key, 0)],
    ['not a key', () => new TextEncoder().encode('not a key at all')],
    ['of another kind', (key) => key.with(1, 0)],
    ['a seed with the public key of another', (key) => key.with(10, key[10]! ^ 1)],
  ])('is refused when its file is %s, without a word of what is in it', async (_case, damage) => {
    const path = join(folder, 'damaged.key')
    await writeFile(path, damage(miner.privateKey))
    const error = await loadNodeIdentity(path, random).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'NODE_KEY_BAD' })
    expect(String(error)).not.toContain('not a key at all')
    expect(await readFile(path)).toEqual(Buffer.from(damage(miner.privateKey)))
  })

  test.skipIf(process.getuid?.() === 0)('is refused when its file may not be read', async () => {
    const path = join(folder, 'locked.key')
    await writeFile(path, miner.privateKey)
    await chmod(path, 0)
    await expect(loadNodeIdentity(path, random)).rejects.toMatchObject({ code: 'NODE_KEY_BAD' })
  })
})
