/**
 * Bodies of the transactions of audits as docs/spec/market.md §8 and §9.3 have them, by an encoder that shares nothing with the program.
 * @module
 */
import { type Fields, u8, u32, u64 } from './spec-fields.ts'

export function specAuditBody(type: number, body: Fields): string {
  const field = (name: string) => String(body[name])
  const key = specAuditKey(body['audit'] as Fields)
  switch (type) {
    case 16:
      return key + field('commitment')
    case 17: {
      const receipt = specReceipt(body['receipt'] as Fields)
      const { index, count, siblings } = body['proof'] as { index: number; count: number; siblings: string[] }
      const proof = u32(index) + u32(count) + u32(siblings.length) + siblings.join('')
      return key + field('peerKey') + receipt + field('outDigest') + field('salt') + proof
    }
    case 18:
      return key + field('finding') + field('salt')
    default:
      throw new Error(`the spec has no transaction of type ${type}`)
  }
}

function specAuditKey({ lease, lot, window }: Fields): string {
  return String(lease) + u8(Number(lot)) + Number(window).toString(16).padStart(8, '0')
}

function specReceipt(receipt: Fields): string {
  const field = (name: string) => String(receipt[name])
  const counters = ['before', 'after'].map((name) => specCounters(receipt[name] as Fields)).join('')
  const head = field('lease') + u8(Number(receipt['lot'])) + u32(Number(receipt['window'])) + counters
  const digests = field('inDigest') + field('outCommitment') + u32(Number(receipt['milliseconds'])) + field('previous')
  return head + digests + field('signature')
}

function specCounters(counters: Fields): string {
  const names = ['promptRows', 'promptPositions', 'decodeRows', 'decodePositions']
  return names.map((name) => u64(String(counters[name]))).join('')
}
