/**
 * The market of the local network: what its model costs, how long its steps take, and which accounts its miners have. Numbers for a
 * laptop that is idle most of the day, where people look for minutes and the money is worth nothing.
 * Spec: docs/spec/home.md §5.
 * @module
 */
import { INITIAL_PARAMETERS, type Parameters, withChanges } from '../../core/parameters.ts'
import type { FundedAccount } from '../chain/new-network.ts'

const GRAINS_PER_DLLM = 1_000_000_000n

/**
 * Grains per compute unit. A hundred tokens of the genesis model after a short prompt are about 1,200 units: 0.0006 DLLM, which is seen
 * in a balance, and the wallet's million pays for a billion of them. It is the lowest price as well: an idle network lowers its price by an
 * eighth every ten blocks, to a grain within ten minutes.
 */
const PRICE = 500n

/** That differ from the first values. A block takes about a second. */
export const LOCAL_PARAMETERS: Parameters = withChanges(INITIAL_PARAMETERS, [
  { name: 'priceMin', value: PRICE },
  // A lease costs 400 units, each of its claims 60: with three of them a tenth of such an answer; at the first value ten answers.
  { name: 'baseFeeMin', value: 100n },
  // Two minutes: what work and stake were issued is seen while one looks.
  { name: 'epochBlocks', value: 120n },
  // Ten minutes, and two for a vote, instead of weeks: to try out `stake unbond` and `param propose`.
  { name: 'unbondingBlocks', value: 600n },
  { name: 'proposalBlocks', value: 120n },
  // Chats leave their lease open for the next one: after ten minutes it ends by itself, and pay is seen. Whoever chats later opens another.
  { name: 'leaseBlocksMax', value: 600n },
  // A lease is paid half a minute after its end, when its miners have claimed, and after another one where receipts are audited.
  { name: 'disputeBlocks', value: 30n },
  { name: 'auditCommitBlocks', value: 20n },
  { name: 'auditRevealBlocks', value: 10n },
  // One further miner may audit: there are seldom more, and all are of one owner. It is seen as often as the first values audit who is new.
  { name: 'auditors', value: 3n },
  { name: 'auditorsMin', value: 1n },
  { name: 'auditShare', value: 100n },
  // A version is served by whoever is there, all of one owner; a minute after its vote it may be active, and a quarter of an hour to regret it.
  { name: 'readyOwners', value: 1n },
  { name: 'activationNotice', value: 60n },
  { name: 'activationRetryBlocks', value: 10n },
  { name: 'activationTries', value: 60n },
  { name: 'rollbackBlocks', value: 900n },
])

/** Of the wallet `local`, role operator: far from the validators', which begin at 0. */
export const MINER_ACCOUNT_FIRST = 100
/** As many processes as a large computer has cores. */
export const MINER_ACCOUNTS = 32
/** Grains: for a deposit, and for the fees of years. */
const MINER_BALANCE = 100n * GRAINS_PER_DLLM

/** What the miners' accounts have at the start. */
export const MINER_FUNDS: readonly FundedAccount[] = Array.from({ length: MINER_ACCOUNTS }, (_, index) => ({
  ...{ role: 'operator', account: MINER_ACCOUNT_FIRST + index, balance: MINER_BALANCE },
}))

/** What a compute unit of each model of the genesis costs at first, in grains. */
export const LOCAL_PRICE: bigint = PRICE
