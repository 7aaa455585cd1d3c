/** The light client against an honest chain whose validators change, and against full nodes that lie. */
import { beforeAll, describe, expect, test } from 'vitest'
import { opensslAccepts } from '../../../src/app/openssl-verify.ts'
import { hash, type Milliseconds, milliseconds } from '../../../src/base/brand.ts'
import {
  createLightClient,
  followTo,
  type LightBlock,
  type LightClient,
  type LightResult,
  trustCheckpoint,
  trustGenesis,
} from '../../../src/core/light-client.ts'
import { type LightWorld, lightWorld } from '../../light-world.ts'

const HEIGHTS = 64
const OTHER = hash('ab'.repeat(32))
const PERIOD = milliseconds(1_000_000)
let world: LightWorld
let nowMs: Milliseconds

beforeAll(() => {
  world = lightWorld(HEIGHTS)
  nowMs = milliseconds(world.blocks[HEIGHTS]!.header.timeMs + 500)
})

const at = (height: number): LightBlock => world.blocks[height]!
const client = (height = 0): LightClient => {
  const { networkId } = world.chain
  const { header, set } = at(height)
  const trusted =
    height === 0
      ? trustGenesis(networkId, header, set)
      : trustCheckpoint({ networkId, height, hash: at(height).commit.blockHash }, at(height))
  const options = { networkId, trustingPeriodMs: PERIOD, clockSkewMs: milliseconds(2_000), accepts: opensslAccepts }
  return createLightClient(trusted, options)
}
/** Follows to a block with blocks of an honest node. */
const follow = (from: LightClient, target: LightBlock, asked: number[] = []): LightResult => {
  const steps = followTo(from, target, nowMs)
  let step = steps.next()
  while (!step.done) {
    asked.push(step.value)
    step = steps.next(at(step.value))
  }
  return step.value
}

describe('following', () => {
  test('height by height leads to the newest', () => {
    const light = client()
    for (let height = 1; height <= HEIGHTS; height++) {
      expect(light.verify(at(height), nowMs)).toEqual({ type: 'trusted' })
    }
    expect(light.trusted.hash).toBe(world.chain.head().hash)
  })

  test('jumps as far as the trusted validators vouch', () => {
    const light = client()
    expect(light.verify(at(15), nowMs)).toEqual({ type: 'trusted' })
    expect(light.verify(at(15), nowMs)).toEqual({ type: 'known' })
  })

  test('asks for heights between where the validators have changed, and gets there with few', () => {
    const light = client()
    expect(at(HEIGHTS).set.hash).not.toBe(at(1).set.hash)
    expect(light.verify(at(HEIGHTS), nowMs)).toEqual({ type: 'needs', height: HEIGHTS / 2 })
    const asked: number[] = []
    expect(follow(light, at(HEIGHTS), asked)).toEqual({ type: 'trusted' })
    expect(light.trusted.header.height).toBe(HEIGHTS)
    expect(asked.length).toBeLessThan(12)
  })

  test('begins at a checkpoint', () => {
    expect(follow(client(30), at(HEIGHTS))).toEqual({ type: 'trusted' })
  })

  test('goes on when somebody else has led the client further meanwhile', () => {
    const light = client()
    const steps = followTo(light, at(HEIGHTS), nowMs)
    const asked = steps.next().value as number
    follow(light, at(HEIGHTS - 4))
    expect(steps.next(at(asked))).toEqual({ done: true, value: { type: 'trusted' } })
  })

  test('refuses what was not asked for', () => {
    const steps = followTo(client(), at(HEIGHTS), nowMs)
    steps.next()
    expect(() => steps.next(at(3))).toThrow(expect.objectContaining({ code: 'LIGHT_NOT_NEXT' }))
  })
})

describe('a checkpoint is refused', () => {
  const networkId = () => world.chain.networkId
  test.each<[string, string, () => unknown]>([
    [
      'at another height',
      'LIGHT_WRONG_CHECKPOINT',
      () => trustCheckpoint({ networkId: networkId(), height: 9, hash: at(8).commit.blockHash }, at(8)),
    ],
    [
      'with another hash',
      'LIGHT_WRONG_CHECKPOINT',
      () => trustCheckpoint({ networkId: networkId(), height: 8, hash: OTHER }, at(8)),
    ],
    [
      'of another network',
      'LIGHT_WRONG_CHECKPOINT',
      () => trustCheckpoint({ networkId: OTHER, height: 8, hash: at(8).commit.blockHash }, at(8)),
    ],
    [
      'with other validators',
      'LIGHT_WRONG_SET',
      () =>
        trustCheckpoint(
          { networkId: networkId(), height: 60, hash: at(60).commit.blockHash },
          { ...at(60), set: at(1).set },
        ),
    ],
  ])('%s: %s', (_case, code, make) => {
    expect(make).toThrow(expect.objectContaining({ code }))
  })
})

describe('a lie is refused', () => {
  test.each<[string, string, string | undefined, () => LightBlock]>([
    [
      'another state, signed by nobody',
      'LIGHT_BAD_COMMIT',
      'COMMIT_WRONG_BLOCK',
      () => ({ ...at(31), header: { ...at(31).header, stateRoot: OTHER } }),
    ],
    [
      'another state, signed by too few',
      'LIGHT_BAD_COMMIT',
      'COMMIT_TOO_LITTLE_STAKE',
      () => world.forge(31, { stateRoot: OTHER }, [0, 1]),
    ],
    [
      'the signatures of another block',
      'LIGHT_BAD_COMMIT',
      'COMMIT_BAD_SIGNATURE',
      () => {
        const forged = world.forge(31, { stateRoot: OTHER })
        return { ...forged, commit: { ...forged.commit, signatures: at(31).commit.signatures } }
      },
    ],
    [
      'validators that are not the announced ones',
      'LIGHT_NOT_NEXT',
      'BLOCK_WRONG_VALIDATORS',
      () => world.forgeByStrangers(31, {}),
    ],
    ["a set that is not the header's", 'LIGHT_WRONG_SET', undefined, () => ({ ...at(31), set: at(1).set })],
    ['another parent', 'LIGHT_NOT_NEXT', 'BLOCK_WRONG_PARENT', () => world.forge(31, { parentHash: OTHER })],
    [
      'a time that is not later',
      'LIGHT_NOT_NEXT',
      'BLOCK_TIME_NOT_LATER',
      () => world.forge(31, { timeMs: at(30).header.timeMs }),
    ],
    [
      'a time that is not later, far ahead',
      'LIGHT_NOT_NEXT',
      undefined,
      () => world.forge(40, { timeMs: at(30).header.timeMs }),
    ],
    [
      'a time in the future',
      'LIGHT_FROM_FUTURE',
      undefined,
      () => world.forge(31, { timeMs: milliseconds(nowMs + 2_001) }),
    ],
    ['a height below', 'LIGHT_TOO_OLD', undefined, () => at(29)],
    [
      'another block of the trusted height, by strangers',
      'LIGHT_BAD_COMMIT',
      'COMMIT_TOO_LITTLE_STAKE',
      () => world.forgeByStrangers(30, {}),
    ],
    [
      'another block of the trusted height, signed by too few',
      'LIGHT_BAD_COMMIT',
      'COMMIT_TOO_LITTLE_STAKE',
      () => world.forge(30, { stateRoot: OTHER }, [0]),
    ],
  ])('%s: %s', (_case, code, cause, make) => {
    const light = client(30)
    const { trusted } = light
    const details = cause === undefined ? {} : { details: expect.objectContaining({ cause }) }
    expect(() => light.verify(make(), nowMs)).toThrow(expect.objectContaining({ code, ...details }))
    expect(light.trusted).toBe(trusted)
  })

  test('strangers far ahead are not believed, however long they insist', () => {
    const light = client(30)
    const lie = (height: number) => world.forgeByStrangers(height, {})
    const steps = followTo(light, lie(HEIGHTS), nowMs)
    const insist = (): void => {
      let step = steps.next()
      while (!step.done) step = steps.next(lie(step.value))
    }
    expect(insist).toThrow(expect.objectContaining({ code: 'LIGHT_NOT_NEXT' }))
    expect(light.trusted.header.height).toBe(30)
  })

  test('validators that have left vouch for nothing that is far ahead of them', () => {
    // Everybody who validated at first signs a block of the end, in a set that they made up.
    const { set } = at(1)
    const forged = world.forge(HEIGHTS, { validatorsHash: set.hash, stateRoot: OTHER })
    expect(() => client(HEIGHTS - 1).verify({ ...forged, set }, nowMs)).toThrow(
      expect.objectContaining({ code: 'LIGHT_NOT_NEXT' }),
    )
  })
})

test('trust that is too old is not used, whatever comes', () => {
  const late = milliseconds(at(0).header.timeMs + PERIOD + 1)
  expect(() => client().verify(at(1), late)).toThrow(expect.objectContaining({ code: 'LIGHT_TRUST_EXPIRED' }))
  expect(client(HEIGHTS - 1).verify(at(HEIGHTS), late)).toEqual({ type: 'trusted' })
})

describe('two final blocks of one height', () => {
  test('are a fork, which names who signed both', () => {
    const light = client(30)
    const other = world.forge(30, { stateRoot: OTHER }, [1, 2, 3, 4, 5])
    const ids = at(30).set.members.map(({ id }) => id)
    const result = light.verify(other, nowMs)
    expect(result).toMatchObject({ type: 'fork', fork: { isDoubleSign: true } })
    expect(result).toMatchObject({ fork: { signers: ids.slice(1), other } })
  })

  test('of different rounds are a fork without a double sign', () => {
    const light = client(30)
    const { commit, ...rest } = light.trusted
    const { networkId } = world.chain
    const options = { networkId, trustingPeriodMs: PERIOD, clockSkewMs: milliseconds(0) }
    const moved = createLightClient({ ...rest, commit: { ...commit!, round: 3 } }, options)
    expect(moved.verify(world.forge(30, { stateRoot: OTHER }), nowMs)).toMatchObject({ fork: { isDoubleSign: false } })
  })
})
