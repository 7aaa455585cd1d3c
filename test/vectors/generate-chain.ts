/**
 * Writes transactions.json: run once with `node test/vectors/generate-chain.ts > test/vectors/transactions.json`. The file is
 * the reference afterwards: a difference means that the format changed, which needs a new version of the format.
 * @module
 */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { type AccountId, accountId, type Hash, hash } from '../../src/base/brand.ts'
import { Writer } from '../../src/base/codec.ts'
import { ballotDigest, proposalDigest } from '../../src/core/consensus/messages.ts'
import { sign } from '../../src/core/ed25519.ts'
import { taggedHash } from '../../src/core/hash.ts'
import { outCommitmentOf, signReceipt } from '../../src/core/market/receipt.ts'
import { verdictCommitment } from '../../src/core/market/verdict.ts'
import { signVoucher } from '../../src/core/market/voucher.ts'
import { provePeerKey } from '../../src/core/peer-key-proof.ts'
import { contractOf } from '../../src/core/transaction/contracts.ts'
import { decodeTransaction, signTransaction } from '../../src/core/transaction/transaction.ts'
import { proveValidatorKeys } from '../../src/core/validator-proofs.ts'
import { type Person, person } from '../chain-accounts.ts'

/** What the file holds. */
export function transactionVectors() {
  const networkId = hash(bytesToHex(taggedHash('example network')))
  const ann = person(1)
  const to = accountId('00112233445566778899aabbccddeeff01234567')
  const proofs = proveValidatorKeys({ networkId, owner: ann.id }, ann.consensus, ann.seedSecret)

  const one = hash('11'.repeat(32))
  const two = hash('22'.repeat(32))
  const vote = (blockHash: typeof one | undefined) => {
    const ballot = { type: 'precommit' as const, height: 70_000, round: 2, blockHash }
    return { ...ballot, signature: sign(ballotDigest(networkId, ballot), ann.consensus.secretKey) }
  }
  const proposal = (blockHash: typeof one, validRound: number | undefined) => {
    const claim = { height: 70_000, round: 2, blockHash, validRound }
    return { ...claim, signature: sign(proposalDigest(networkId, claim), ann.consensus.secretKey) }
  }
  const consensusKey = ann.consensus.publicKey
  const segments = [
    { linear: 1_000_000n, attention: 384n },
    { linear: 2n ** 40n, attention: 0n },
  ]
  const peer = provePeerKey({ networkId, operator: ann.id }, ann.consensus)
  const placed = { model: one, first: 1, end: 3, slots: 4, bid: 5n, until: 70_300, incarnation: 2n ** 40n }

  const calls: readonly [name: string, type: number, body: unknown][] = [
    ['transfer', 1, { to, amount: 1_500_000_000n, memo: new Uint8Array(0) }],
    ['transfer with a memo', 1, { to, amount: 2n ** 64n - 1n, memo: hexToBytes('6869') }],
    ['bond', 2, { validator: to, amount: 1_000_000_000n }],
    ['unbond', 3, { validator: to, amount: 1n }],
    ['register-validator', 4, { ...proofs, name: 'example 1' }],
    ['report-double-sign of votes', 5, { kind: 'votes', consensusKey, first: vote(one), second: vote(undefined) }],
    [
      'report-double-sign of proposals',
      5,
      { kind: 'proposals', consensusKey, first: proposal(one, undefined), second: proposal(two, 1) },
    ],
    [
      'propose-parameters',
      6,
      {
        changes: [
          { name: 'validatorsMax', value: 64n },
          { name: 'voteMs', value: 900n },
        ],
      },
    ],
    ['vote-parameters', 7, { proposal: 3, yes: true }],
    ['register-model', 8, { model: one, name: 'example-1', context: 512, price: 7n, segments }],
    [
      'register-model to take a place, with a canary',
      8,
      {
        ...{ model: one, name: 'example-2', context: 512, price: 7n, segments, predecessor: two },
        canary: { root: hash('33'.repeat(32)), bytes: 2 ** 20 + 1 },
      },
    ],
    ['retire-model', 9, { model: one }],
    ['register-miner', 10, { payout: to, device: 'gpu', deposit: 5_000_000_000n, ...peer }],
    ['withdraw-deposit', 11, { amount: 2n ** 64n - 1n }],
    ['place', 12, { ...placed, displaces: false }],
    ['place instead of the lowest deposit', 12, { ...placed, displaces: true }],
  ]

  const market = [...leaseCalls(networkId, ann), ...auditCalls(networkId, ann), ...lifeCalls(one)]
  const cases = [...calls, ...market].map(([name, type, body], index) => {
    const writer = new Writer()
    contractOf(type)!.write(writer, body)
    const draft = { type, nonce: BigInt(index), maxFee: 100n, tip: 2n, body: writer.finish() }
    const bytes = signTransaction(networkId, draft, ann.owner)
    const { id, signedBytes, signature } = decodeTransaction(bytes)
    return {
      name,
      draft: { ...{ type, nonce: String(draft.nonce), maxFee: '100', tip: '2' }, body: plain(body) },
      bytes: bytesToHex(bytes),
      id,
      digest: bytesToHex(taggedHash('dllm/transaction', hexToBytes(networkId), signedBytes)),
      signature: bytesToHex(signature),
    }
  })
  return { networkId, secretKey: bytesToHex(ann.owner.secretKey), cases }
}

/** Calls of the contracts of leases. */
function leaseCalls(networkId: Hash, { consensus }: Person): readonly [name: string, type: number, body: unknown][] {
  const [model, lease, root] = ['11', '33', '66'].map((byte) => hash(byte.repeat(32))) as [Hash, Hash, Hash]
  const key = consensus.publicKey
  const opening = {
    ...{ model, voucherKey: key, cuts: [2, 300], avoid: [] as AccountId[], rows: 70_000, cap: 2n ** 40n, priceMax: 7n },
    expiryHeight: 2 ** 33,
  }
  const counters = { promptRows: 8n, promptPositions: 28n, decodeRows: 2n ** 33n, decodePositions: 2n ** 40n }
  const voucher = signVoucher(networkId, { lease, seq: 9n, counters, transcript: root }, consensus.secretKey)
  return [
    ['open-lease', 13, opening],
    ['open-lease of one lot', 13, { ...opening, cuts: [] }],
    ['open-lease that avoids', 13, { ...opening, avoid: ['0a', 'a0'].map((byte) => accountId(byte.repeat(20))) }],
    ['close-lease', 14, { lease }],
    ['claim-lease', 15, { lease, shown: { key, voucher }, lot: 2, rows: 70_000, root }],
    ['claim-lease without a voucher', 15, { lease, shown: undefined, lot: 0, rows: 0, root }],
  ]
}

/** Calls of the contracts of audits. */
function auditCalls(networkId: Hash, ann: Person): readonly [name: string, type: number, body: unknown][] {
  const [lease, finding, salt] = ['33', '44', '55'].map((byte) => hash(byte.repeat(32))) as [Hash, Hash, Hash]
  const audit = { lease, lot: 2, window: 70_000 }
  const before = { promptRows: 8n, promptPositions: 28n, decodeRows: 0n, decodePositions: 0n }
  const after = { ...before, decodeRows: 2n ** 33n, decodePositions: 2n ** 40n }
  const receipt = {
    ...{ lease, lot: 2, window: 1, before, after, inDigest: finding, milliseconds: 1_250, previous: salt },
    outCommitment: outCommitmentOf(finding, salt),
  }
  const opening = {
    ...{ audit, peerKey: ann.consensus.publicKey, outDigest: finding, salt },
    receipt: signReceipt(networkId, receipt, ann.consensus.secretKey),
    proof: { index: 1, count: 3, siblings: [lease, salt] },
  }
  return [
    ['commit-verdict', 16, { audit, commitment: verdictCommitment(audit, ann.id, { finding, salt }) }],
    ['open-receipt', 17, opening],
    ['reveal-verdict', 18, { audit, finding, salt }],
  ]
}

/** Calls of the contracts for the life of a model. */
function lifeCalls(model: Hash): readonly [name: string, type: number, body: unknown][] {
  return [
    ['propose-model', 19, { model, activationHeight: 2 ** 33 }],
    ['report-canary', 20, { model, passed: true }],
  ]
}

/** A body as JSON: bytes in hexadecimal, u64 as decimal texts, nothing as null. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return bytesToHex(value)
  if (typeof value === 'bigint') return String(value)
  if (value === undefined) return null
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]))
}

if (process.argv[1] === import.meta.filename) console.log(JSON.stringify(transactionVectors(), null, 2))
