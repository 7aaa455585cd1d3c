/**
 * A peer that runs no honest program: it tells what others said with some bits turned, and answers questions with lies, junk or not
 * at all. It has no stake, so it can do no more than waste time.
 * @module
 */
import { encodeConsensusMessage, TOPICS } from '../../src/app/node/topics.ts'
import { type Hash, peerId } from '../../src/base/brand.ts'
import type { Message } from '../../src/core/consensus/replica-port.ts'
import {
  CHAIN_PROTOCOL,
  CHAIN_PROTOCOL_OPTIONS,
  type ChainAnswer,
  type ChainQuestion,
  decodeQuestion,
  encodeAnswer,
  encodeQuestion,
} from '../../src/net/protocols/chain.ts'
import type { Channel, Topic, Wire } from '../../src/net/wire.ts'
import type { Chance } from './faults.ts'
import type { World } from './world.ts'

const PAUSE_MS = 60
const JUNK_BYTES_MAX = 300

/** Joins now and is gone after a while. */
export function inviteStranger(world: World, chance: Chance, forMs: number): void {
  const { network, timeline, machines, trace } = world
  const peer = peerId(`stranger-${timeline.count()}`)
  const bootstrap = machines.map(({ plan }) => `/memory/${plan.peer}`)
  const wire = network.createMemoryWire({ peer, listen: true, bootstrap })
  trace.note('world', `${peer} joins`)
  const liar: Liar = { wire, chance, world }
  answerQuestions(liar)
  let isGone = false
  const act = (): void => {
    if (isGone) return
    void misbehave(liar).catch(() => undefined)
    timeline.schedule(chance.pick(PAUSE_MS), act)
  }
  timeline.schedule(PAUSE_MS, act)
  timeline.schedule(forMs, () => {
    isGone = true
    network.kill(peer)
  })
}

interface Liar {
  readonly wire: Wire
  readonly chance: Chance
  readonly world: World
}

async function misbehave(liar: Liar): Promise<void> {
  const { wire, chance } = liar
  if (chance.pick(4) === 0) return askNonsense(liar)
  const topics = Object.values(TOPICS)
  const heard = overheard(liar)
  if (heard === undefined || chance.pick(4) === 0) {
    await wire.publish(topics[chance.pick(topics.length)]!, junk(chance))
    return
  }
  const topic: Topic = heard.type === 'vote' ? TOPICS.vote : TOPICS.proposal
  await wire.publish(topic, turned(chance, encodeConsensusMessage(heard).slice(1)))
}

async function askNonsense({ wire, chance }: Liar): Promise<void> {
  const peers = wire.connectedPeers()
  const peer = peers[chance.pick(Math.max(1, peers.length))]
  if (peer === undefined) return
  const channel = await wire.open({ peer, addresses: [] }, CHAIN_PROTOCOL, CHAIN_PROTOCOL_OPTIONS)
  channel.send(chance.pick(2) === 0 ? junk(chance) : encodeQuestion(question(chance)))
  if (chance.pick(2) === 0) await channel.receive()
  if (chance.pick(2) === 0) await channel.close()
  else channel.abort('bored')
}

function question(chance: Chance): ChainQuestion {
  const questions: readonly ChainQuestion[] = [
    { type: 'consensus', summary: junk(chance) },
    { type: 'blocks', from: chance.pick(1_000), count: chance.pick(65_536) },
    { type: 'headers', from: chance.pick(50), count: chance.pick(65_536) },
    { type: 'snapshot-part', height: chance.pick(1_000), index: chance.pick(1_000) },
    { type: 'submit', transaction: junk(chance) },
    { type: 'waiting' },
  ]
  return questions[chance.pick(questions.length)]!
}

function answerQuestions(liar: Liar): void {
  const { wire } = liar
  void wire.handle(CHAIN_PROTOCOL, CHAIN_PROTOCOL_OPTIONS, (channel) => answerAll(liar, channel).catch(() => undefined))
}

async function answerAll(liar: Liar, channel: Channel): Promise<void> {
  const { chance } = liar
  for (let bytes = await channel.receive(); bytes !== undefined; bytes = await channel.receive()) {
    const manner = chance.pick(5)
    if (manner === 0) channel.send(junk(chance))
    else if (manner === 1) channel.abort('no')
    else if (manner > 2) channel.send(encodeAnswer(lie(liar, decodeQuestion(bytes))))
  }
}

function lie(liar: Liar, { type }: ChainQuestion): ChainAnswer {
  const { chance, world } = liar
  const top = world.witness.height()
  const head = {
    networkId: world.scenario.network.networkId,
    height: chance.pick(2) === 0 ? top + chance.pick(1_000) : chance.pick(top + 2),
    blockHash: '00'.repeat(32) as Hash,
    oldestHeight: 1,
  }
  const items = Array.from({ length: chance.pick(6) }, () => item(liar, type))
  return { type: 'items', head, items }
}

function item(liar: Liar, asked: ChainQuestion['type']): Uint8Array {
  const { chance } = liar
  const heard = overheard(liar)
  if (heard === undefined || chance.pick(6) === 0) return junk(chance)
  if (asked === 'blocks' && heard.type === 'proposal') return turned(chance, heard.proposal.block)
  return turned(chance, encodeConsensusMessage(heard))
}

function overheard({ world, chance }: Liar): Message | undefined {
  return world.overheard[chance.pick(Math.max(1, world.overheard.length))]
}

/** The same bytes with some bits turned, or none. */
function turned(chance: Chance, bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice()
  for (let turns = chance.pick(3); turns > 0; turns--) copy[chance.pick(copy.length)]! ^= 1 << chance.pick(8)
  return copy
}

function junk(chance: Chance): Uint8Array {
  return Uint8Array.from({ length: chance.pick(JUNK_BYTES_MAX) }, () => chance.pick(256))
}
