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
      return head + u32(segments.length) + works.join('')
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
      return field('model') + run + u64(field('bid')) + u64(field('until')) + u64(field('incarnation'))
    }
    default:
      throw new Error(`the spec has no transaction of type ${type}`)
  }
}
