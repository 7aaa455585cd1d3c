import { describe, expect, test } from 'vitest'
import { peerId } from '../../../src/base/brand.ts'
import { WIRE_LIMITS } from '../../../src/base/limits.ts'
import { loadAddressParser } from '../../../src/net/address.ts'
import { createPeerBook } from '../../../src/net/peer-book.ts'

const PEER = peerId('12D3KooWRwKWS9sjcchtQD1rWwCipXS2e43Pr51p5TowdJRnQikL')
const OTHER = peerId('12D3KooWAeCz9dST3czHtjKoWwv67hS1tfQAftwahJxVXHTib9X8')

describe('an address', () => {
  test.each([
    ['/ip4/127.0.0.1/tcp/4001', undefined, '/ip4/127.0.0.1/tcp/4001'],
    ['/ip4/127.0.0.1/tcp/4001', PEER, `/ip4/127.0.0.1/tcp/4001/p2p/${PEER}`],
    [`/dns4/example.org/tcp/4001/p2p/${PEER}`, PEER, `/dns4/example.org/tcp/4001/p2p/${PEER}`],
    [`/ip4/127.0.0.1/tcp/4001/p2p/${OTHER}`, PEER, undefined],
    ['/ip4/127.0.0.1/udp/4001', undefined, undefined],
    ['/ip4/1.2.3/tcp/4001', undefined, undefined],
    ['127.0.0.1:4001', undefined, undefined],
    ['', undefined, undefined],
    [`/dns4/${'a'.repeat(WIRE_LIMITS.addressCharactersMax)}/tcp/1`, undefined, undefined],
  ])('%s for %s is %s', async (text, peer, expected) => {
    const parse = await loadAddressParser()
    expect(parse(text, peer)?.toString()).toBe(expected)
  })
})

describe('a peer book', () => {
  test('keeps the addresses of a peer when it is noted without', () => {
    const book = createPeerBook()
    book.note(PEER, ['/one', '/one', '/two'])
    book.note(PEER, [])
    expect(book.list()).toEqual([{ peer: PEER, addresses: ['/one', '/two'] }])
    book.note(PEER, ['/three'])
    expect(book.addressesOf(PEER)).toEqual(['/three'])
    expect(book.addressesOf(OTHER)).toEqual([])
  })

  test('is bounded in peers and in addresses; the longest unheard of goes first', () => {
    const book = createPeerBook(2)
    book.note(peerId('a'), [])
    book.note(peerId('b'), [])
    book.note(peerId('a'), [])
    book.note(
      peerId('c'),
      Array.from({ length: 100 }, (_, index) => `/${index}`),
    )
    expect(book.list().map(({ peer }) => peer)).toEqual(['a', 'c'])
    expect(book.addressesOf(peerId('c')).length).toBe(WIRE_LIMITS.addressesPerPeerMax)
    book.note(peerId('c'), ['x'.repeat(WIRE_LIMITS.addressCharactersMax + 1), '/kept'])
    expect(book.addressesOf(peerId('c'))).toEqual(['/kept'])
  })
})
