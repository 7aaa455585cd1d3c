/**
 * Answers other nodes' and light clients' questions about the chain, within bounds. Gives out only what is final, except
 * for votes and waiting transactions. Spec: docs/spec/wire.md §5.
 * @module
 */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { type AccountId, accountId, type Hash } from '../../base/brand.ts'
import { SYNC_LIMITS } from '../../base/chain-limits.ts'
import { CodecError, Writer } from '../../base/codec.ts'
import { HouseError } from '../../base/error.ts'
import type { Log } from '../../base/ports.ts'
import { decodeBlock, encodeHeader, writeCommit } from '../../core/block/block.ts'
import { type ValidatorSet, writeMembers } from '../../core/consensus/validator-set.ts'
import {
  CHAIN_PROTOCOL,
  CHAIN_PROTOCOL_OPTIONS,
  type ChainAnswer,
  type ChainQuestion,
  decodeQuestion,
  encodeAnswer,
  type HeadAnswer,
} from '../../net/protocols/chain.ts'
import type { Channel, Wire } from '../../net/wire.ts'
import type { StoredBlock } from './node-store.ts'

/** What the server needs of its node. */
export interface ServedChain {
  head(): HeadAnswer
  block(height: number): Promise<StoredBlock | undefined>
  validators(setHash: Hash): Promise<ValidatorSet | undefined>
  /** Proposals and votes that the asker lacks; see `encodeConsensusMessage` in topics.ts. */
  missing(summary: Uint8Array): Promise<readonly Uint8Array[]>
  /** The newest snapshot's description (snapshot-format.ts), header and commit; undefined when there is none yet. */
  snapshot(): readonly Uint8Array[] | undefined
  snapshotPart(height: number, index: number): Uint8Array | undefined
  /** Proof of a state key in the newest final state; its block is `head()`. */
  stateProof(key: Uint8Array): Uint8Array
  /** Height, transaction, proof. */
  transaction(id: Hash): Promise<readonly Uint8Array[] | undefined>
  /** Newest first. */
  history(account: AccountId, limit: number): Promise<readonly Hash[]>
  /** @throws HouseError why it was not taken. */
  submit(transaction: Uint8Array): Promise<void>
  waiting(): Iterable<Uint8Array>
  /** Registered models of a name, those that are active first. */
  modelsNamed(name: string): readonly Hash[]
}

/** Serves until the wire stops. */
export async function serveChain(wire: Wire, chain: ServedChain, { log }: { readonly log: Log }): Promise<void> {
  await wire.handle(CHAIN_PROTOCOL, CHAIN_PROTOCOL_OPTIONS, async (channel) => {
    try {
      await answerAll(channel, chain)
    } catch (error) {
      // A question that cannot be read is the peer's fault; anything else is told by the wire's own log.
      if (!(error instanceof CodecError)) throw error
      log.write('info', 'chain.bad-question', { peer: channel.peer, code: error.code })
      wire.judge(channel.peer, 'misbehaved')
      channel.abort('bad question')
    }
  })
}

async function answerAll(channel: Channel, chain: ServedChain): Promise<void> {
  for (;;) {
    const bytes = await channel.receive()
    if (bytes === undefined) return
    channel.send(encodeAnswer(await answer(decodeQuestion(bytes), chain)))
    // One answer at a time is in memory per channel, however fast questions come.
    await channel.drained()
  }
}

async function answer(question: ChainQuestion, chain: ServedChain): Promise<ChainAnswer> {
  try {
    return { type: 'items', head: chain.head(), items: await itemsFor(question, chain) }
  } catch (error) {
    if (!(error instanceof HouseError)) throw error
    return { type: 'refused', code: error.code, message: error.message.slice(0, SYNC_LIMITS.refusalBytesMax / 4) }
  }
}

async function itemsFor(question: ChainQuestion, chain: ServedChain): Promise<readonly Uint8Array[]> {
  switch (question.type) {
    case 'head':
      return []
    case 'blocks':
      return heights(chain, question, SYNC_LIMITS.blocksPerQuestionMax, async ({ block, commit }) => [
        block,
        writeCommit(new Writer(8_192), commit).finish(),
      ])
    case 'headers':
      return heights(chain, question, SYNC_LIMITS.headersPerQuestionMax, (stored) => headerItems(stored, chain))
    case 'consensus':
      return within(await chain.missing(question.summary))
    case 'snapshot':
      return chain.snapshot() ?? []
    case 'snapshot-part': {
      const part = chain.snapshotPart(question.height, question.index)
      return part === undefined ? [] : [part]
    }
    case 'state': {
      const stored = await chain.block(chain.head().height)
      if (stored === undefined) return []
      // Taken in the same turn as the head: no block can come in between.
      const proof = chain.stateProof(question.key)
      if (stored.hash !== chain.head().blockHash) return itemsFor(question, chain)
      return [...(await headerItems(stored, chain)), proof]
    }
    case 'transaction':
      return (await chain.transaction(question.id)) ?? []
    case 'history':
      return history(chain, question)
    case 'submit':
      await chain.submit(question.transaction)
      return []
    case 'waiting':
      return within(chain.waiting())
    case 'models':
      return chain.modelsNamed(question.name).slice(0, SYNC_LIMITS.namedModelsMax).map(hexToBytes)
  }
}

/** Header, commit, validator set: what a light client needs of a height. */
async function headerItems({ block, commit }: StoredBlock, chain: ServedChain): Promise<Uint8Array[]> {
  const { header } = decodeBlock(block)
  const set = await chain.validators(header.validatorsHash)
  if (set === undefined) return []
  return [
    encodeHeader(header),
    writeCommit(new Writer(8_192), commit).finish(),
    writeMembers(new Writer(4_096), set.members).finish(),
  ]
}

/** Items of consecutive heights: as many as there are, as were asked for, and as fit. */
async function heights(
  chain: ServedChain,
  { from, count }: { readonly from: number; readonly count: number },
  countMax: number,
  itemsOf: (stored: StoredBlock) => Promise<readonly Uint8Array[]>,
): Promise<Uint8Array[]> {
  const items: Uint8Array[] = []
  let bytes = 0
  for (let height = from; height < from + Math.min(count, countMax); height++) {
    const stored = await chain.block(height)
    const next = stored === undefined ? [] : await itemsOf(stored)
    bytes += bytesOf(next)
    if (next.length === 0 || bytes > ITEM_BYTES_MAX) return items
    items.push(...next)
  }
  return items
}

/** One after the other: each takes a whole block to be read and hashed. */
async function history(
  chain: ServedChain,
  { account, count }: { readonly account: Uint8Array; readonly count: number },
): Promise<Uint8Array[]> {
  const items: Uint8Array[] = []
  let bytes = 0
  for (const id of await chain.history(
    accountId(bytesToHex(account)),
    Math.min(count, SYNC_LIMITS.historyPerQuestionMax),
  )) {
    const found = (await chain.transaction(id)) ?? []
    bytes += bytesOf(found)
    if (bytes > ITEM_BYTES_MAX) break
    items.push(...found)
  }
  return items
}

/** As many as fit. */
function within(all: Iterable<Uint8Array>): Uint8Array[] {
  const items: Uint8Array[] = []
  let bytes = 0
  for (const item of all) {
    bytes += item.length + ITEM_HEADER_BYTES
    if (bytes > ITEM_BYTES_MAX || items.length === SYNC_LIMITS.itemsMax) break
    items.push(item)
  }
  return items
}

function bytesOf(items: readonly Uint8Array[]): number {
  return items.reduce((sum, item) => sum + item.length + ITEM_HEADER_BYTES, 0)
}

const ITEM_HEADER_BYTES = 4
/** Room for the head and the counts. */
const ITEM_BYTES_MAX = SYNC_LIMITS.answerBytesMax - 1_024
