/**
 * A peer that passes questions about the chain on to an honest node and changes the answers on their way back: all but the lie
 * holds.
 * @module
 */
import { peerId } from '../../src/base/brand.ts'
import {
  CHAIN_PROTOCOL,
  CHAIN_PROTOCOL_OPTIONS,
  type ChainQuestion,
  decodeAnswer,
  decodeQuestion,
  encodeAnswer,
  encodeQuestion,
} from '../../src/net/protocols/chain.ts'
import type { Wire } from '../../src/net/wire.ts'
import type { OneNode } from './one-node.ts'

export type Tamper = (question: ChainQuestion, items: Uint8Array[]) => Uint8Array[]

let relays = 0

export async function startRelay(one: OneNode, tamper: Tamper): Promise<Wire> {
  const wire = one.memory.createMemoryWire({ peer: peerId(`relay-${relays++}`), listen: true })
  const honest = { peer: one.wire.peer, addresses: one.wire.addresses() }
  await wire.handle(CHAIN_PROTOCOL, CHAIN_PROTOCOL_OPTIONS, async (channel) => {
    const question = await channel.receive()
    if (question === undefined) return
    const onward = await wire.open(honest, CHAIN_PROTOCOL, CHAIN_PROTOCOL_OPTIONS)
    onward.send(encodeQuestion(decodeQuestion(question)))
    const answer = decodeAnswer((await onward.receive())!)
    if (answer.type === 'items') {
      channel.send(encodeAnswer({ ...answer, items: tamper(decodeQuestion(question), [...answer.items]) }))
    }
    await channel.close()
    await onward.close()
  })
  return wire
}
