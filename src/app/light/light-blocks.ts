/**
 * Blocks and transactions for a light client: each is proved against a header that leads down, hash by hash, from the trusted
 * one. Spec: docs/spec/light-client.md §6.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import type { AccountId, Hash, PeerId } from '../../base/brand.ts'
import { NODE_LIMITS } from '../../base/chain-limits.ts'
import { HouseError } from '../../base/error.ts'
import {
  type Block,
  blockHash,
  type Commit,
  commitHash,
  decodeBlock,
  type Header,
  readCommit,
} from '../../core/block/block.ts'
import { readInclusionProof, transactionsRoot } from '../../core/block/transactions-root.ts'
import { readCount } from '../../core/fields.ts'
import { LightProofError, verifyAncestors, verifyTransaction } from '../../core/light-client-proofs.ts'
import { decodeRecord } from '../../core/state/tables.ts'
import { decodeTransaction, type Transaction } from '../../core/transaction/transaction.ts'
import { type LightService, lightBlockOf } from './light-service.ts'

export class LightBlockError extends HouseError<'LIGHT_NEEDS_NODE'> {}

export interface ProvedBlock {
  readonly block: Block
  readonly hash: Hash
  readonly commit: Commit
}

export interface ProvedTransaction {
  readonly transaction: Transaction
  readonly header: Header
}

/** undefined: nobody has it. @throws LightBlockError for heights too far below the newest. */
export async function provedBlock(
  service: LightService,
  { networkId, height }: { readonly networkId: Hash; readonly height: number },
  signal?: AbortSignal,
): Promise<ProvedBlock | undefined> {
  return service.ask(
    { type: 'blocks', from: height, count: 1 },
    async ({ items }, peer) => {
      const [bytes, commitBytes] = items
      if (bytes === undefined || commitBytes === undefined) return undefined
      const header = await headerAt({ service, networkId, peer, signal }, height)
      const block = decodeBlock(bytes)
      const commit = decodeRecord(commitBytes, readCommit)
      const hash = blockHash(networkId, header)
      const ids = block.transactions.map((each) => decodeTransaction(each).id)
      const isWhole =
        blockHash(networkId, block.header) === hash &&
        commit.blockHash === hash &&
        commitHash(block.lastCommit) === header.lastCommitHash &&
        transactionsRoot(ids) === header.transactionsRoot
      if (!isWhole) throw new LightProofError('LIGHT_NOT_BEFORE', `The block that came is not block ${height}.`)
      return { block, hash, commit }
    },
    signal,
  )
}

/**
 * undefined: nobody has it in a block. A transaction is in one block at most: who named one that is too old to look at has lied when
 * another proves it in a newer one. @throws LightBlockError when everybody who has it names a block that is too old.
 */
export async function provedTransaction(
  service: LightService,
  { networkId, id }: { readonly networkId: Hash; readonly id: Hash },
  signal?: AbortSignal,
): Promise<ProvedTransaction | undefined> {
  const tooOld: { readonly peer: PeerId; readonly error: LightBlockError }[] = []
  const found = await service.ask(
    { type: 'transaction', id },
    async ({ items }, peer) => {
      if (items.length === 0) return undefined
      const proved = await proveItems({ service, networkId, peer, signal }, items).catch((error: unknown) => {
        if (error instanceof LightBlockError) tooOld.push({ peer, error })
        throw error
      })
      if (proved.transaction.id === id) return proved
      throw new LightProofError('LIGHT_NOT_INCLUDED', 'Another transaction came than was asked for.')
    },
    signal,
  )
  if (found === undefined) return undefined
  for (const { peer, error } of tooOld) {
    const message = `${error.message} But the transaction is in block ${found.header.height}.`
    service.accuse({ peer, code: 'LIGHT_NOT_INCLUDED', message })
  }
  return found
}

/** Newest first. That none is left out is the peer's word. */
export async function provedHistory(
  service: LightService,
  { networkId, account, limit }: { readonly networkId: Hash; readonly account: AccountId; readonly limit: number },
  signal?: AbortSignal,
): Promise<readonly ProvedTransaction[]> {
  const count = Math.min(limit, NODE_LIMITS.historyMax)
  const found = await service.ask(
    { type: 'history', account: hexToBytes(account), count },
    async ({ items }, peer) => {
      const proved: ProvedTransaction[] = []
      for (let at = 0; at + TRANSACTION_ITEMS <= items.length; at += TRANSACTION_ITEMS) {
        proved.push(await proveItems({ service, networkId, peer, signal }, items.slice(at, at + TRANSACTION_ITEMS)))
      }
      return proved
    },
    signal,
  )
  return found ?? []
}

/** Height, transaction, proof. */
const TRANSACTION_ITEMS = 3

interface Asking {
  readonly service: LightService
  readonly networkId: Hash
  readonly peer: PeerId
  readonly signal: AbortSignal | undefined
}

async function proveItems(asking: Asking, items: readonly Uint8Array[]): Promise<ProvedTransaction> {
  const [heightBytes, bytes, proof] = items
  if (heightBytes === undefined || bytes === undefined || proof === undefined) {
    throw new LightProofError('LIGHT_NOT_INCLUDED', 'The proof of a transaction is cut short.')
  }
  const header = await headerAt(asking, decodeRecord(heightBytes, readCount))
  return { transaction: verifyTransaction(header, bytes, decodeRecord(proof, readInclusionProof)), header }
}

/** The header of a height, by following up to it or leading down from the trusted one. */
async function headerAt({ service, networkId, peer, signal }: Asking, height: number): Promise<Header> {
  const ask = async (from: number, count: number): Promise<Uint8Array[]> => {
    const found = await service.askPeer(peer, { type: 'headers', from, count }, signal)
    return [...found.items]
  }
  if (height > service.trusted.header.height) {
    const header = await service.follow(await ask(height, 1), peer, signal)
    if (header.height === height) return header
    throw new LightProofError('LIGHT_NOT_BEFORE', `Block ${height} was asked for and ${header.height} came.`)
  }
  let above = service.trusted.header
  if (above.height - height > service.ancestorsMax) throw tooFar(height, above.height)
  while (above.height > height) {
    const count = Math.min(above.height - height, HEADERS_PER_QUESTION)
    const items = await ask(above.height - count, count)
    const headers: Header[] = []
    for (let at = 0; at + HEADER_ITEMS <= items.length; at += HEADER_ITEMS) {
      headers.unshift(lightBlockOf(items.slice(at, at + HEADER_ITEMS)).header)
    }
    if (headers.length === 0) throw new LightProofError('LIGHT_NOT_BEFORE', 'The headers in between did not come.')
    above = verifyAncestors(above, headers, networkId)
  }
  return above
}

/** Header, commit, validator set. */
const HEADER_ITEMS = 3
/** With the largest sets, so many fit into an answer whole. */
const HEADERS_PER_QUESTION = 64

function tooFar(height: number, newest: number): LightBlockError {
  const message = `Block ${height} is ${newest - height} blocks old, further than a light client looks back. Run \`dllm node\` to have all blocks.`
  return new LightBlockError('LIGHT_NEEDS_NODE', message, { details: { height, newest } })
}
