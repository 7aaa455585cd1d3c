/**
 * Bodies of the market's transactions as docs/spec/market.md has them, by an encoder that shares nothing with the program.
 * @module
 */
import { type Fields, text, u8, u16, u32, u64 } from './spec-fields.ts'

export function specMarketBody(type: number, body: Fields): string {
  const field = (name: string) => String(body[name])
  const short = (name: string) => u16(Number(body[name]))
  switch (type) {
    case 8: {
      const segments = body['segments'] as Fields[]
      const works = segments.map(({ linear, attention }) => u64(String(linear)) + u64(String(attention)))
      const head = field('model') + text(field('name')) + u32(Number(body['context'])) + u64(field('price'))
      return head + u32(segments.length) + works.join('') + specLineage(body)
    }
    case 9:
      return field('model')
    case 10: {
      const device = u8(body['device'] === 'gpu' ? 1 : 0)
      return field('payout') + field('peerKey') + device + u64(field('deposit')) + field('proof')
    }
    case 11:
      return u64(field('amount'))
    case 12: {
      const run = short('first') + short('end') + short('slots')
      const rest = u64(field('bid')) + u64(field('until')) + u64(field('incarnation'))
      return field('model') + run + rest + u8(body['displaces'] === true ? 1 : 0)
    }
    case 13: {
      const cuts = body['cuts'] as number[]
      const head = field('model') + field('voucherKey') + u32(cuts.length) + cuts.map(u16).join('')
      const avoid = body['avoid'] as string[]
      const lists = head + u32(avoid.length) + avoid.join('')
      return lists + u32(Number(body['rows'])) + u64(field('cap')) + u64(field('priceMax')) + u64(field('expiryHeight'))
    }
    case 14:
      return field('lease')
    case 15: {
      const shown = body['shown'] as Fields | null
      const voucher = shown === null ? u8(0) : u8(1) + String(shown['key']) + specVoucher(shown['voucher'] as Fields)
      return field('lease') + voucher + u8(Number(body['lot'])) + u32(Number(body['rows'])) + field('root')
    }
    case 19:
      return field('model') + u64(field('activationHeight'))
    case 20:
      return field('model') + u8(body['passed'] === true ? 1 : 0)
    default:
      throw new Error(`the spec has no transaction of type ${type}`)
  }
}

function specLineage({ predecessor = null, canary = null }: Fields): string {
  const after = predecessor === null ? u8(0) : u8(1) + String(predecessor)
  if (canary === null) return after + u8(0)
  const { root, bytes } = canary as Fields
  return after + u8(1) + String(root) + u64(String(bytes))
}

function specVoucher({ lease, seq, counters, transcript, signature }: Fields): string {
  const { promptRows, promptPositions, decodeRows, decodePositions } = counters as Fields
  const numbers = [seq, promptRows, promptPositions, decodeRows, decodePositions]
  return String(lease) + numbers.map((value) => u64(String(value))).join('') + String(transcript) + String(signature)
}
