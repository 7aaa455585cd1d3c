/**
 * The duty that looks at the leases that new blocks open for the model of this miner, and says of each whether it was won, or why not. Reads
 * the blocks themselves, so that what it costs is bounded by their size.
 * Spec: docs/spec/cli.md §10.
 * @module
 */
import { type Hash, hash } from '../../base/brand.ts'
import { MINING_LIMITS } from '../../base/chain-limits.ts'
import { codeOf } from '../../base/error.ts'
import { accountOfAddress, addressOfAccount } from '../../core/fields.ts'
import { leaseIdOf } from '../../core/state/leases.ts'
import type { ChainAccess, TransactionView } from '../chain/chain-access.ts'
import type { LeaseView, MinerView, PlacementView } from '../chain/market-access.ts'
import type { ChainSender } from '../market/chain-sender.ts'
import type { Duty, MiningNotes } from './duty.ts'
import { lossOf, lotsWithin, wonText } from './job-words.ts'
import type { Sight, Survey } from './survey.ts'

export interface JobsParts {
  readonly chain: ChainAccess
  readonly survey: Survey
  readonly sender: ChainSender
  readonly notes: MiningNotes
  readonly model: Hash
}

/** Of the last blocks, for the reasons of an idle minute. */
export interface Demand {
  /** Leases opened for the model. */
  readonly opened: number
  readonly won: number
}

export interface Jobs {
  readonly duty: Duty
  /** Of the last MINING_LIMITS.demandBlocks blocks. */
  demand(height: number): Demand
}

interface Scene {
  readonly sight: Sight
  readonly placement: PlacementView | undefined
}

interface Opened {
  readonly height: number
  readonly isWon: boolean
}

export function createJobs(parts: JobsParts): Jobs {
  const { chain, survey, notes } = parts
  const address = addressOfAccount(parts.sender.id, chain.network.kind)
  let seen: number | undefined
  let history: Opened[] = []

  const judge = async (opening: TransactionView, { sight, placement }: Scene, signal: AbortSignal): Promise<void> => {
    const lease = await leaseOf(chain, opening, signal)
    // Opened and settled within a few blocks, or the node forgets fast.
    if (lease === undefined) return
    const index = lease.lots.findIndex(({ operator }) => operator === address)
    history.push({ height: opening.height ?? sight.head.height, isWon: index >= 0 })
    const details = { lease: lease.id, payer: lease.payer }
    if (index >= 0) {
      const { rate, first, end } = lease.lots[index]!
      const won = { ...details, lot: index, rate, cap: lease.cap, first, end }
      return notes.say({ type: 'job-won', text: wonText(lease, index), details: won })
    }
    const winner = await winnerOf(chain, lease, { placement, signal })
    const { miner, parameters } = sight
    const loss = lossOf({ lease, address, avoided: avoidedBy(opening), placement, miner, parameters, winner })
    notes.say({ type: 'job-lost', text: loss.text, details: { ...details, reason: loss.reason } })
  }
  const readBlock = async (height: number, sight: Sight, signal: AbortSignal): Promise<void> => {
    const { transactions } = await chain.block(height, signal)
    const openings = transactions.filter(({ type, body }) => type === 'open-lease' && body['model'] === parts.model)
    if (openings.length === 0) return
    const placement = await survey.placement(sight.head, 0, signal)
    for (const opening of openings.slice(0, MINING_LIMITS.jobsPerBlock)) {
      await judge({ height, ...opening }, { sight, placement }, signal)
    }
    const rest = openings.slice(MINING_LIMITS.jobsPerBlock)
    if (rest.length === 0) return
    history.push(...rest.map(() => ({ height, isWon: false })))
    notes.say({ type: 'state', text: `${rest.length} further leases were opened in block ${height}.` })
  }

  return {
    demand(height) {
      history = history.filter((each) => height - each.height < MINING_LIMITS.demandBlocks)
      return { opened: history.length, won: history.filter(({ isWon }) => isWon).length }
    },
    duty: {
      name: 'jobs',
      async look(head, signal) {
        const sight = await survey.at(head, signal)
        const first = Math.max((seen ?? head.height - 1) + 1, head.height - MINING_LIMITS.jobBlocksBehind + 1)
        for (let height = first; height <= head.height; height++) {
          await readBlock(height, sight, signal)
          seen = height
        }
      },
    },
  }
}

async function leaseOf(
  chain: ChainAccess,
  { sender, nonce }: TransactionView,
  signal: AbortSignal,
): Promise<LeaseView | undefined> {
  const { kind, networkId } = chain.network
  const id = leaseIdOf(networkId, accountOfAddress(sender, kind), BigInt(nonce))
  return chain.market.lease(hash(id), signal).catch((error: unknown) => {
    if (codeOf(error) === 'NO_SUCH_LEASE') return undefined
    throw error
  })
}

async function winnerOf(
  { market, network }: ChainAccess,
  { lots }: LeaseView,
  { placement, signal }: { readonly placement: PlacementView | undefined; readonly signal: AbortSignal },
): Promise<MinerView | undefined> {
  const lot = placement && lotsWithin(lots, placement)[0]
  if (lot === undefined) return undefined
  return market.miner(accountOfAddress(lot.operator, network.kind), signal).catch((error: unknown) => {
    if (codeOf(error) === 'NO_SUCH_MINER') return undefined
    throw error
  })
}

function avoidedBy({ body }: TransactionView): readonly string[] {
  const { avoid } = body as { readonly avoid?: unknown }
  return Array.isArray(avoid) ? avoid.map(String) : []
}
