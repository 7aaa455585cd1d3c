import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hash } from '../../../../src/base/brand.ts'
import {
  comparePositions,
  type LastSigned,
  maySign,
  raiseTo,
  recordSigned,
  SIGN_STEPS,
  type SignPosition,
  type SignState,
  type SignStep,
} from '../../../../src/core/consensus/sign-guard.ts'
import { exportSignState, readInterchange } from '../../../../src/core/consensus/sign-interchange.ts'
import { decodeSignState, encodeSignState } from '../../../../src/core/consensus/sign-record.ts'

const IDENTITY = { networkId: hash('ab'.repeat(32)), publicKey: new Uint8Array(32).fill(7) }
const DIGEST = new Uint8Array(32).fill(1)
const OTHER_DIGEST = new Uint8Array(32).fill(2)
const SIGNATURE = new Uint8Array(64).fill(3)

function at(height: number, round: number, step: SignStep): SignPosition {
  return { height, round, step }
}

function stateAt(position: SignPosition | undefined, isKnown = true): SignState {
  const last: LastSigned | undefined = position && {
    ...position,
    signed: isKnown ? { digest: DIGEST, signature: SIGNATURE } : undefined,
  }
  return { ...IDENTITY, last }
}

const position: fc.Arbitrary<SignPosition> = fc.record({
  height: fc.integer({ min: 0, max: 2 ** 48 }),
  round: fc.integer({ min: 0, max: 2 ** 20 }),
  step: fc.constantFrom(...SIGN_STEPS),
})
const anyState: fc.Arbitrary<SignState> = fc
  .tuple(fc.option(position, { nil: undefined }), fc.boolean())
  .map(([last, isKnown]) => stateAt(last, isKnown))

describe('a key that last signed the prevote of height 5, round 2', () => {
  const state = stateAt(at(5, 2, 'prevote'))

  test.each<[string, SignPosition, Uint8Array, unknown]>([
    ['the next height', at(6, 0, 'propose'), OTHER_DIGEST, { type: 'sign' }],
    ['a much later height', at(2 ** 48, 0, 'propose'), OTHER_DIGEST, { type: 'sign' }],
    ['the next round', at(5, 3, 'propose'), OTHER_DIGEST, { type: 'sign' }],
    ['the next step', at(5, 2, 'precommit'), OTHER_DIGEST, { type: 'sign' }],
    ['a later height for the same bytes', at(6, 0, 'prevote'), DIGEST, { type: 'sign' }],
    ['the same again', at(5, 2, 'prevote'), DIGEST, { type: 'again', signature: SIGNATURE }],
    ['something else there', at(5, 2, 'prevote'), OTHER_DIGEST, { reason: 'different' }],
    ['the step before', at(5, 2, 'propose'), OTHER_DIGEST, { reason: 'earlier' }],
    ['the step before, of the same bytes', at(5, 2, 'propose'), DIGEST, { reason: 'earlier' }],
    ['a later step of the round before', at(5, 1, 'precommit'), OTHER_DIGEST, { reason: 'earlier' }],
    ['a later round of the height before', at(4, 9, 'precommit'), OTHER_DIGEST, { reason: 'earlier' }],
    ['the first height', at(0, 0, 'propose'), OTHER_DIGEST, { reason: 'earlier' }],
  ])('asked for %s', (_what, request, digest, expected) => {
    const decision = maySign(state, { ...request, digest })
    expect(decision).toMatchObject(expected as object)
    if (decision.type === 'refuse') expect(decision.code).toBe('DOUBLE_SIGN_REFUSED')
  })
})

describe('the guard', () => {
  test('lets a key that never signed sign anything', () => {
    expect(maySign(stateAt(undefined), { ...at(0, 0, 'propose'), digest: DIGEST })).toEqual({ type: 'sign' })
  })

  test('refuses a position that was imported, whose bytes it does not know', () => {
    const state = raiseTo(stateAt(undefined), at(5, 2, 'prevote'))
    expect(maySign(state, { ...at(5, 2, 'prevote'), digest: DIGEST })).toMatchObject({ reason: 'unknown' })
    expect(maySign(state, { ...at(5, 2, 'precommit'), digest: DIGEST })).toEqual({ type: 'sign' })
  })

  test('takes a digest of another length for a bug', () => {
    expect(() => maySign(stateAt(undefined), { ...at(1, 0, 'propose'), digest: new Uint8Array(31) })).toThrow(
      '32 bytes',
    )
  })

  test('records only what may be signed', () => {
    const request = { ...at(5, 2, 'prevote'), digest: OTHER_DIGEST }
    expect(() => recordSigned(stateAt(at(5, 2, 'prevote')), request, SIGNATURE)).toThrow('may be signed')
    expect(recordSigned(stateAt(undefined), request, SIGNATURE).last).toEqual({
      ...at(5, 2, 'prevote'),
      signed: { digest: OTHER_DIGEST, signature: SIGNATURE },
    })
  })

  test('orders positions by height, then round, then step', () => {
    const sorted = [0, 1, 2].flatMap((height) =>
      [0, 1, 2].flatMap((round) => SIGN_STEPS.map((step) => at(height, round, step))),
    )
    sorted.forEach((a, left) => {
      sorted.forEach((b, right) => {
        expect(Math.sign(comparePositions(a, b))).toBe(Math.sign(left - right))
      })
    })
  })

  test('is only ever raised', () => {
    fc.assert(
      fc.property(anyState, position, (state, to) => {
        const raised = raiseTo(state, to)
        if (state.last !== undefined) expect(comparePositions(raised.last!, state.last)).toBeGreaterThanOrEqual(0)
        expect(comparePositions(raised.last!, to)).toBeGreaterThanOrEqual(0)
        expect(maySign(raised, { ...to, digest: OTHER_DIGEST }).type).toBe('refuse')
      }),
    )
  })
})

describe('the file', () => {
  test('comes out as it went in', () => {
    fc.assert(
      fc.property(anyState, (state) => {
        expect(decodeSignState(encodeSignState(state), IDENTITY)).toEqual(state)
      }),
    )
  })

  test('has the same length whatever is in it, and does not change by accident', () => {
    const bytes = encodeSignState(stateAt(at(5, 2, 'prevote')))
    expect(bytes.length).toBe(encodeSignState(stateAt(undefined)).length)
    expect(Buffer.from(bytes).toString('hex')).toBe(
      `646c6c6d7369676e01${'ab'.repeat(32)}${'07'.repeat(32)}0205000000000000000200000001${'01'.repeat(32)}${'03'.repeat(64)}4df836a548705121ab802fd3dfa6c4c2a61c5580d2e8854eb9194d00b8006478`,
    )
  })

  const bytes = encodeSignState(stateAt(at(5, 2, 'prevote')))

  test('is refused at every shorter length', () => {
    for (let length = 0; length < bytes.length; length++) {
      const decode = () => decodeSignState(bytes.subarray(0, length), IDENTITY)
      expect(decode).toThrow(expect.objectContaining({ code: 'SIGN_STATE_DAMAGED' }))
    }
  })

  test('is refused with more behind it', () => {
    const decode = () => decodeSignState(Uint8Array.from([...bytes, 0]), IDENTITY)
    expect(decode).toThrow(expect.objectContaining({ code: 'SIGN_STATE_DAMAGED' }))
  })

  test('is refused with any bit flipped', () => {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice()
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      const decode = () => decodeSignState(flipped, IDENTITY)
      expect(decode).toThrow(expect.objectContaining({ code: 'SIGN_STATE_DAMAGED' }))
    }
  })

  test('says what to do when it is refused', () => {
    expect(() => decodeSignState(new Uint8Array(), IDENTITY)).toThrow(
      /Restore .* backup .*, or register a new consensus key/,
    )
  })

  test.each([
    ['network', { ...IDENTITY, networkId: hash('ac'.repeat(32)) }],
    ['key', { ...IDENTITY, publicKey: new Uint8Array(32).fill(8) }],
  ])('of another %s is refused as foreign', (what, identity) => {
    const decode = () => decodeSignState(bytes, identity)
    expect(decode).toThrow(expect.objectContaining({ code: 'SIGN_STATE_FOREIGN', details: { what } }))
  })
})

describe('the interchange', () => {
  const text = exportSignState(stateAt(at(5, 2, 'precommit')))
  const changed = (change: (file: ReturnType<typeof JSON.parse>) => void): string => {
    const file = JSON.parse(text)
    change(file)
    return JSON.stringify(file)
  }

  test('has the shape of EIP-3076', () => {
    expect(JSON.parse(text)).toEqual({
      metadata: { interchange_format_version: '1', genesis_hash: IDENTITY.networkId },
      data: [{ pubkey: '07'.repeat(32), last_signed: { height: '5', round: '2', step: '2' } }],
    })
  })

  test('carries any position', () => {
    fc.assert(
      fc.property(position, (last) => {
        expect(readInterchange(exportSignState(stateAt(last)), IDENTITY)).toEqual(last)
      }),
    )
  })

  test('of a key that never signed says nothing of it', () => {
    expect(readInterchange(exportSignState(stateAt(undefined)), IDENTITY)).toBeUndefined()
  })

  test('says nothing of a key that it does not name', () => {
    expect(readInterchange(text, { ...IDENTITY, publicKey: new Uint8Array(32) })).toBeUndefined()
  })

  test('that names a key twice means the later position', () => {
    const twice = changed((file) => {
      file.data.unshift({ ...file.data[0], last_signed: { height: '40', round: '0', step: '0' } })
    })
    expect(readInterchange(twice, IDENTITY)).toEqual(at(40, 0, 'propose'))
  })

  test('of another network is refused as foreign', () => {
    const foreign = changed((file) => {
      file.metadata.genesis_hash = '00'.repeat(32)
    })
    expect(() => readInterchange(foreign, IDENTITY)).toThrow(expect.objectContaining({ code: 'SIGN_STATE_FOREIGN' }))
  })

  test.each([
    ['no JSON', '{'],
    ['a list', '[]'],
    ['null', 'null'],
    ['an unknown version', changed((file) => (file.metadata.interchange_format_version = '2'))],
    ['no network', changed((file) => delete file.metadata.genesis_hash)],
    ['data that is no list', changed((file) => (file.data = {}))],
    ['a key that is no key', changed((file) => (file.data[0].pubkey = 'x'))],
    ['an entry that is no object', changed((file) => file.data.push(null))],
    ['no position', changed((file) => delete file.data[0].last_signed)],
    ['a negative height', changed((file) => (file.data[0].last_signed.height = '-1'))],
    ['a height that is a number', changed((file) => (file.data[0].last_signed.height = 5))],
    ['a height beyond all', changed((file) => (file.data[0].last_signed.height = '999999999999999'))],
    ['a fraction', changed((file) => (file.data[0].last_signed.round = '1.5'))],
    ['an unknown step', changed((file) => (file.data[0].last_signed.step = '3'))],
    ['too many keys', changed((file) => (file.data = Array.from({ length: 1025 }, () => file.data[0])))],
    ['too many bytes', `${text}${' '.repeat(1024 * 1024)}`],
  ])('is refused with %s', (_what, damaged) => {
    expect(() => readInterchange(damaged, IDENTITY)).toThrow(
      expect.objectContaining({ code: 'SIGN_INTERCHANGE_INVALID' }),
    )
  })
})
