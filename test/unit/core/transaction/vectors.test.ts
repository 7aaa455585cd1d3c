/**
 * The published transactions: what the program makes of the drafts, and what docs/spec makes of them by an encoder that shares
 * nothing with the program.
 */
import { createHash, createPrivateKey, sign } from 'node:crypto'
import { hexToBytes } from '@noble/hashes/utils.js'
import { describe, expect, test } from 'vitest'
import { hash } from '../../../../src/base/brand.ts'
import { Reader, Writer } from '../../../../src/base/codec.ts'
import { keyPairFromSecret } from '../../../../src/core/ed25519.ts'
import { CONTRACTS, contractOf } from '../../../../src/core/transaction/contracts.ts'
import { decodeTransaction, signTransaction } from '../../../../src/core/transaction/transaction.ts'
import { transactionVectors } from '../../../vectors/generate-chain.ts'
import vectors from '../../../vectors/transactions.json' with { type: 'json' }
import { specAuditBody } from './spec-audit-body.ts'
import { type Fields, text, u8, u32, u64 } from './spec-fields.ts'
import { specMarketBody } from './spec-market-body.ts'

const networkId = hash(vectors.networkId)
const keys = keyPairFromSecret(hexToBytes(vectors.secretKey))

describe.each(vectors.cases)('$name', ({ draft, bytes, id, digest, signature }) => {
  test('is read, written and signed to the published bytes', () => {
    const read = decodeTransaction(hexToBytes(bytes))
    expect(read).toMatchObject({ id, signature: hexToBytes(signature) })
    expect([read.type, read.nonce, read.maxFee, read.tip].map(String)).toEqual(
      [draft.type, draft.nonce, draft.maxFee, draft.tip].map(String),
    )
    expect(signTransaction(networkId, read, keys)).toEqual(hexToBytes(bytes))
  })

  test('is written from its body', () => {
    const contract = contractOf(draft.type)!
    const read = decodeTransaction(hexToBytes(bytes))
    const writer = new Writer()
    contract.write(writer, contract.read(new Reader(read.body)))
    expect(writer.finish()).toEqual(read.body)
  })

  test('follows from the spec', () => {
    const body = Buffer.from(specBody(draft.type, draft.body), 'hex')
    const envelope = [
      ...[u8(1), vectors.networkId.slice(0, 8), u8(draft.type), specPublicKey()],
      ...[u64(draft.nonce), u64(draft.maxFee), u64(draft.tip), u32(body.length), body.toString('hex')],
    ].join('')
    const signed = specTagged('dllm/transaction', vectors.networkId + envelope)
    expect(signed).toBe(digest)
    expect(sign(null, Buffer.from(signed, 'hex'), privateKey()).toString('hex')).toBe(signature)
    expect(envelope + signature).toBe(bytes)
    expect(specTagged('dllm/transaction-id', bytes)).toBe(id)
  })
})

test('the file is what its generator writes', () => {
  expect(JSON.parse(JSON.stringify(transactionVectors()))).toEqual(vectors)
})

test('every contract has a vector', () => {
  expect(new Set(vectors.cases.map(({ draft }) => draft.type))).toEqual(new Set(CONTRACTS.map(({ type }) => type)))
})

// From here on: the spec once more, in hexadecimal texts and with Node's own cryptography.

function specBody(type: number, body: Fields): string {
  const field = (name: string) => String(body[name])
  switch (type) {
    case 1:
      return field('to') + u64(field('amount')) + u32(field('memo').length / 2) + field('memo')
    case 2:
    case 3:
      return field('validator') + u64(field('amount'))
    case 4: {
      const proofs = field('consensusKey') + field('seedKey') + field('seedProof') + field('consensusProof')
      return proofs + text(field('name'))
    }
    case 5: {
      const specMessage = body['kind'] === 'votes' ? specVote : specProposal
      const kind = u8(body['kind'] === 'votes' ? 1 : 2)
      return field('consensusKey') + kind + specMessage(body['first'] as Fields) + specMessage(body['second'] as Fields)
    }
    case 6: {
      const changes = body['changes'] as Fields[]
      return (
        u32(changes.length) + changes.map(({ name, value }) => u8(NUMBERS[String(name)]!) + u64(String(value))).join('')
      )
    }
    case 7:
      return u64(field('proposal')) + u8(body['yes'] === true ? 1 : 0)
    default:
      return type >= 16 && type <= 18 ? specAuditBody(type, body) : specMarketBody(type, body)
  }
}

/** Of the parameters that the vectors name, by docs/spec/chain.md §5. */
const NUMBERS: Record<string, number> = { validatorsMax: 2, voteMs: 12 }

function specVote({ height, round, blockHash, signature }: Fields): string {
  const block = blockHash === null ? u8(0) : u8(1) + String(blockHash)
  return u8(2) + u64(String(height)) + u32(Number(round)) + block + String(signature)
}

function specProposal({ height, round, validRound, blockHash, signature }: Fields): string {
  const valid = validRound === null ? 0 : Number(validRound) + 1
  return u64(String(height)) + u32(Number(round)) + u32(valid) + String(blockHash) + String(signature)
}

function specTagged(tag: string, hex: string): string {
  const prefix = createHash('sha256').update(tag).digest()
  return createHash('sha256').update(prefix).update(prefix).update(hex, 'hex').digest('hex')
}

function privateKey() {
  // The DER of RFC 8410: a fixed head before the seed.
  const der = Buffer.from(`302e020100300506032b657004220420${vectors.secretKey}`, 'hex')
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
}

function specPublicKey(): string {
  const { x } = privateKey().export({ format: 'jwk' })
  return Buffer.from(x!, 'base64url').toString('hex')
}
