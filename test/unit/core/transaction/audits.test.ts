/** What is refused of auditors and of miners that are audited: each phase, each wrong hand, each false opening. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { Hash } from '../../../../src/base/brand.ts'
import { ZERO_HASH } from '../../../../src/core/fields.ts'
import { ZERO_COUNTERS } from '../../../../src/core/market/counters.ts'
import { outCommitmentOf, type Receipt, receiptHash, signReceipt } from '../../../../src/core/market/receipt.ts'
import { type AuditId, type AuditRecord, getAudit } from '../../../../src/core/state/audits.ts'
import { stateFaults } from '../../../../src/core/state/invariants.ts'
import { getMiner, putMiner } from '../../../../src/core/state/miners.ts'
import type { OpenReceipt } from '../../../../src/core/transaction/open-receipt.ts'
import {
  type AuditWorld,
  asked,
  auditWorld,
  commitBody,
  coverOf,
  draw,
  honestFinding,
  MINER,
  openBody,
  outDigestOf,
  peerKeyOf,
  people,
  revealBody,
  saltOf,
} from '../../../audit-world.ts'
import { DLLM, type Person, person } from '../../../chain-accounts.ts'
import { call, change, endBlocks } from '../../../lease-world.ts'

const STAKE = DLLM / 10n
const STRANGER = person(2)
let world: AuditWorld
let id: AuditId
let audit: AuditRecord
let auditors: Person[]
let truth: Hash

beforeEach(() => {
  world = auditWorld({ windows: [10, 10, 5] })
  const [drawn] = draw(world)
  ;[id, audit] = drawn!
  auditors = asked(world, audit)
  truth = honestFinding(coverOf(world, audit))
})

const coded = (code: string) => expect.objectContaining({ code })
const refuse = (code: string, by: Person, type: number, body: unknown): void => {
  const before = [...world.state.entries('' as never)]
  expect(() => call(world, by, { type, body })).toThrow(coded(code))
  expect([...world.state.entries('' as never)]).toEqual(before)
}
const elsewhere = (): AuditId => ({ ...id, window: id.window + 1 })
const commit = (who: Person, finding = truth): void =>
  call(world, who, { type: 16, body: commitBody(id, who, finding) })
const reveal = (who: Person, finding = truth): void =>
  call(world, who, { type: 18, body: revealBody(id, who, finding) })
const toReveal = (): void => void endBlocks(world, audit.commitHeight - world.context.height + 1)

describe('commit-verdict', () => {
  test('locks the stake of who was drawn', () => {
    commit(auditors[0]!)
    expect(getMiner(world.state, auditors[0]!.id)!.locked).toBe(STAKE)
    expect(getAudit(world.state, id)!.auditors.filter(({ commitment }) => commitment !== undefined)).toHaveLength(1)
    expect(stateFaults(world.state)).toEqual([])
  })

  test('is refused of an audit that there is not', () => {
    refuse('NO_SUCH_AUDIT', auditors[0]!, 16, commitBody(elsewhere(), auditors[0]!, truth))
  })

  test('is refused of who was not drawn, the miner and the payer among them', () => {
    const others = world.auditors.filter((one) => !auditors.includes(one))
    expect(others.length).toBeGreaterThan(0)
    for (const who of [...others, MINER, STRANGER]) refuse('NOT_AN_AUDITOR', who, 16, commitBody(id, who, truth))
  })

  test('is refused twice', () => {
    commit(auditors[0]!)
    refuse('ALREADY_COMMITTED', auditors[0]!, 16, commitBody(id, auditors[0]!, outDigestOf(5)))
  })

  test('is taken in the last block of its phase and refused in the next', () => {
    endBlocks(world, audit.commitHeight - world.context.height)
    commit(auditors[0]!)
    endBlocks(world)
    refuse('WRONG_PHASE', auditors[1]!, 16, commitBody(id, auditors[1]!, truth))
  })

  test('is refused of who has less than the stake free', () => {
    const [who] = auditors as [Person]
    change(world.state, (overlay) => {
      const miner = getMiner(overlay, who.id)!
      putMiner(overlay, who.id, { ...miner, locked: miner.deposit - STAKE + 1n })
    })
    refuse('DEPOSIT_LOCKED', who, 16, commitBody(id, who, truth))
  })

  test('keeps the stake from being withdrawn', () => {
    commit(auditors[0]!)
    refuse('DEPOSIT_LOCKED', auditors[0]!, 11, { amount: DLLM })
  })
})

describe('reveal-verdict', () => {
  test('says what was promised', () => {
    commit(auditors[0]!)
    toReveal()
    reveal(auditors[0]!)
    expect(getAudit(world.state, id)!.auditors.map(({ finding }) => finding)).toContain(truth)
    refuse('ALREADY_REVEALED', auditors[0]!, 18, revealBody(id, auditors[0]!, truth))
  })

  test('is refused while others can commit', () => {
    commit(auditors[0]!)
    refuse('WRONG_PHASE', auditors[0]!, 18, revealBody(id, auditors[0]!, truth))
  })

  test('is refused of who promised nothing, or was not drawn', () => {
    toReveal()
    refuse('NO_COMMITMENT', auditors[0]!, 18, revealBody(id, auditors[0]!, truth))
    refuse('NOT_AN_AUDITOR', MINER, 18, revealBody(id, MINER, truth))
    refuse('NO_SUCH_AUDIT', auditors[0]!, 18, revealBody(elsewhere(), auditors[0]!, truth))
  })

  test.each<[string, (body: Record<string, unknown>) => unknown]>([
    ['another finding', (body) => ({ ...body, finding: outDigestOf(5) })],
    ['another salt', (body) => ({ ...body, salt: ZERO_HASH })],
  ])('is refused with %s', (_what, change) => {
    commit(auditors[0]!)
    toReveal()
    refuse('BAD_REVEAL', auditors[0]!, 18, change(revealBody(id, auditors[0]!, truth) as Record<string, unknown>))
  })

  test('is refused of who copied the promise of another, though it knows all that the other revealed', () => {
    const [one, copier] = auditors as [Person, Person]
    const promise = commitBody(id, one, truth)
    call(world, one, { type: 16, body: promise })
    call(world, copier, { type: 16, body: promise })
    toReveal()
    reveal(one)
    refuse('BAD_REVEAL', copier, 18, revealBody(id, one, truth))
    refuse('BAD_REVEAL', copier, 18, revealBody(id, copier, truth))
  })
})

describe('open-receipt', () => {
  const honest = (): OpenReceipt => openBody(world, id, coverOf(world, audit))
  /** The receipt changed and signed anew. */
  const resigned = (change: Partial<Receipt>): OpenReceipt => {
    const { signature: _, ...receipt } = honest().receipt
    return { ...honest(), receipt: signReceipt(world.networkId, { ...receipt, ...change }, peerKeyOf(MINER).secretKey) }
  }

  test('shows the window of the audited row', () => {
    toReveal()
    call(world, MINER, { type: 17, body: honest() })
    const receipt = coverOf(world, audit)
    const rows = 4 * Number(receipt.after.decodeRows - receipt.before.decodeRows)
    expect(getAudit(world.state, id)!.opening).toMatchObject({ finding: truth, rows, milliseconds: 1_000 })
    refuse('ALREADY_OPENED', MINER, 17, honest())
  })

  test('is refused before the auditors have committed, of others, and of an audit that there is not', () => {
    refuse('WRONG_PHASE', MINER, 17, honest())
    toReveal()
    refuse('NOT_A_LOT_OF_YOURS', auditors[0]!, 17, honest())
    const other = elsewhere()
    refuse('NO_SUCH_AUDIT', MINER, 17, { ...honest(), audit: other })
  })

  test.each<[string, () => OpenReceipt]>([
    ['of another lot', () => resigned({ lot: 1 })],
    ['of another lease', () => resigned({ lease: ZERO_HASH })],
    ['whose counters fall', () => resigned({ before: { ...ZERO_COUNTERS, promptRows: 1n } })],
    ['for another digest', () => ({ ...honest(), outDigest: outDigestOf(9) })],
    ['for another salt', () => ({ ...honest(), salt: ZERO_HASH })],
    ['that is not under the root', () => resigned({ milliseconds: 999 })],
    [
      'with a digest made later',
      () => ({
        ...resigned({ outCommitment: outCommitmentOf(outDigestOf(9), saltOf('x')) }),
        ...{ outDigest: outDigestOf(9), salt: saltOf('x') },
      }),
    ],
    ['whose path is of another receipt', () => ({ ...honest(), proof: { ...honest().proof, index: 2 } })],
    [
      'that claims a longer window',
      () => resigned({ before: ZERO_COUNTERS, after: { ...ZERO_COUNTERS, decodeRows: 2n ** 40n } }),
    ],
    [
      'that claims further positions than there are',
      () => resigned({ after: { ...coverOf(world, audit).after, decodePositions: 2n ** 50n } }),
    ],
    [
      'signed by another key',
      () => ({
        ...honest(),
        peerKey: peerKeyOf(STRANGER).publicKey,
        receipt: signReceipt(world.networkId, coverOf(world, audit), peerKeyOf(STRANGER).secretKey),
      }),
    ],
    [
      'with a signature of nobody',
      () => ({ ...honest(), receipt: { ...honest().receipt, signature: new Uint8Array(64) } }),
    ],
    [
      'that covers other rows',
      () => {
        const other = world.receipts.find((receipt) => receiptHash(receipt) !== receiptHash(coverOf(world, audit)))!
        return openBody(world, id, other)
      },
    ],
  ])('is refused with a receipt %s', (_what, body) => {
    toReveal()
    refuse('BAD_OPENING', MINER, 17, body())
  })
})

test('a committee has neither the miner, nor the payer, nor two of one owner', () => {
  const owners = people(9)
  for (const served of [{ payout: owners[8]!.id }]) {
    const scene = auditWorld({ auditors: owners.slice(0, 8) })
    // The first two share an account with the third.
    change(scene.state, (overlay) => {
      for (const one of owners.slice(0, 2)) {
        putMiner(overlay, one.id, { ...getMiner(overlay, one.id)!, payout: owners[2]!.id })
      }
      putMiner(overlay, owners[7]!.id, { ...getMiner(overlay, owners[7]!.id)!, ...served })
    })
    const [[, { auditors: drawn }]] = draw(scene) as [[AuditId, AuditRecord]]
    const payouts = drawn.map(({ operator }) => getMiner(scene.state, operator)!.payout)
    expect(new Set(payouts).size).toBe(payouts.length)
    expect(drawn.map(({ operator }) => operator)).not.toContain(MINER.id)
  }
})
