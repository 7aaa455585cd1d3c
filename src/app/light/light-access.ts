/**
 * The chain as a light client knows it: every value is proved against a header that the validators' stake signed. What cannot be
 * proved, because a list might leave something out, is refused or said to be so. Spec: docs/spec/light-client.md §6.
 * @module
 */
import type { AccountId, Hash } from '../../base/brand.ts'
import { milliseconds } from '../../base/brand.ts'
import { LIGHT_LIMITS } from '../../base/chain-limits.ts'
import { HouseError } from '../../base/error.ts'
import type { Clock } from '../../base/ports.ts'
import { epochOf } from '../../core/epoch.ts'
import { addressOfAccount } from '../../core/fields.ts'
import { getAccount } from '../../core/state/accounts.ts'
import { getBaseFee } from '../../core/state/base-fee-record.ts'
import { getBond } from '../../core/state/bonds.ts'
import { getParameters } from '../../core/state/parameters-record.ts'
import { getValidator } from '../../core/state/validators.ts'
import { decodeTransaction } from '../../core/transaction/transaction.ts'
import { viewBlock, viewIncluded } from '../chain/block-views.ts'
import type {
  AccountView,
  BlockView,
  ChainAccess,
  HeadView,
  NetworkView,
  TransactionView,
  ValidatorView,
} from '../chain/chain-access.ts'
import { viewProvableParameters, viewSupply, viewValidator } from '../chain/state-views.ts'
import { provedBlock, provedHistory, provedTransaction } from './light-blocks.ts'
import { createLightMarket } from './light-market.ts'
import type { LightService } from './light-service.ts'
import { readProved } from './proved-state.ts'

export class LightAccessError extends HouseError<
  'LIGHT_NEEDS_NODE' | 'CHAIN_BLOCK_UNKNOWN' | 'CHAIN_TRANSACTION_UNKNOWN'
> {}

export interface LightAccessParts {
  readonly service: LightService
  readonly network: NetworkView
  readonly clock: Clock
  /** Ends what was opened for it. */
  readonly close: () => Promise<void>
}

export function createLightAccess(parts: LightAccessParts): ChainAccess {
  const { service, network, close } = parts
  const { networkId, kind } = network
  return {
    ...{ source: 'light', network, close, market: createLightMarket(service, kind) },
    head: (signal) => viewHead(parts, signal),
    account: (id, signal) => viewAccount(parts, id, signal),
    validators: (signal) => viewValidators(parts, signal),
    async parameters(signal) {
      const { result } = await readProved(service, viewProvableParameters, signal)
      return result
    },
    block: (which, signal) => viewBlockAt(parts, which, signal),
    async transaction(id, signal) {
      const found = await provedTransaction(service, { networkId, id }, signal)
      if (found === undefined) throw unknownTransaction(id)
      return viewIncluded(found.transaction, found.header, kind)
    },
    async history(account, limit, signal) {
      const found = await provedHistory(service, { networkId, account, limit }, signal)
      return found.map(({ transaction, header }) => viewIncluded(transaction, header, kind))
    },
    async submit(transaction, signal) {
      await submit(service, transaction, signal)
      return decodeTransaction(transaction).id
    },
    waitFor: (id, signal) => waitFor(parts, id, signal),
    watch: (signal) => watch(parts, signal),
  }
}

async function viewHead({ service, network }: LightAccessParts, signal?: AbortSignal): Promise<HeadView> {
  const { result, header } = await readProved(
    service,
    (state) => ({ baseFee: getBaseFee(state), supply: viewSupply(state), parameters: getParameters(state) }),
    signal,
  )
  const { baseFee, supply, parameters } = result
  const { hash, set } = service.trusted
  return {
    ...network,
    ...{ source: 'light', height: header.height, hash, timeMs: header.timeMs, baseFee: String(baseFee), supply },
    epoch: epochOf(header.height + 1, parameters),
    validators: set.members.length,
  }
}

/** Bonds to the validators of today; unbondings and waiting transactions are lists that nobody can prove whole. */
async function viewAccount(
  { service, network: { kind } }: LightAccessParts,
  id: AccountId,
  signal?: AbortSignal,
): Promise<AccountView> {
  const set = await service.validators(signal)
  const voters = new Set(set.members.map((member) => member.id))
  const { result, header } = await readProved(
    service,
    (state) => {
      const bonds = [...voters].map((validator) => ({ validator, amount: getBond(state, { validator, owner: id }) }))
      const given = bonds.filter(({ amount }) => amount > 0n)
      return {
        account: getAccount(state, id),
        validator: getValidator(state, id),
        bonds: given.map((bond) => ({ ...bond, name: getValidator(state, bond.validator)?.name ?? '' })),
      }
    },
    signal,
  )
  const { account, validator, bonds } = result
  return {
    ...{ source: 'light', height: header.height, address: addressOfAccount(id, kind) },
    ...{ balance: String(account.balance), nonce: String(account.nonce), unbondings: [] },
    bonds: bonds.map(({ validator: to, amount, name }) => ({
      validator: addressOfAccount(to, kind),
      validatorName: name,
      amount: String(amount),
    })),
    ...(validator === undefined ? {} : { validator: viewValidator(id, validator, { kind, voters }) }),
  }
}

/** Those that vote now. */
async function viewValidators(
  { service, network: { kind } }: LightAccessParts,
  signal?: AbortSignal,
): Promise<readonly ValidatorView[]> {
  const { members } = await service.validators(signal)
  const voters = new Set(members.map(({ id }) => id))
  const { result } = await readProved(
    service,
    (state) => members.flatMap(({ id }) => ({ id, validator: getValidator(state, id) })),
    signal,
  )
  return result.flatMap(({ id, validator }) => (validator ? [viewValidator(id, validator, { kind, voters })] : []))
}

async function viewBlockAt(
  { service, network }: LightAccessParts,
  which: number | Hash,
  signal?: AbortSignal,
): Promise<BlockView> {
  if (typeof which !== 'number') {
    const message = 'A light client finds blocks by height only. Give the height, or run `dllm node`.'
    throw new LightAccessError('LIGHT_NEEDS_NODE', message)
  }
  const found = await provedBlock(service, { networkId: network.networkId, height: which }, signal)
  if (found !== undefined) return viewBlock({ ...found, validators: undefined }, network.kind)
  const message = `Nobody gave block ${which}: it is not made yet, or was pruned everywhere.`
  throw new LightAccessError('CHAIN_BLOCK_UNKNOWN', message, { details: { block: which } })
}

/** To every peer: one that keeps it for itself then makes no difference. */
async function submit(service: LightService, transaction: Uint8Array, signal?: AbortSignal): Promise<void> {
  let isTaken = false
  const take = async (): Promise<undefined> => {
    isTaken = true
    return undefined
  }
  try {
    await service.ask({ type: 'submit', transaction }, take, signal)
  } catch (error) {
    // The second may have heard of it from the first.
    if (!isTaken) throw error
  }
}

async function waitFor(parts: LightAccessParts, id: Hash, signal?: AbortSignal): Promise<TransactionView> {
  const { service, clock, network } = parts
  for (;;) {
    const found = await provedTransaction(service, { networkId: network.networkId, id }, signal)
    if (found !== undefined) return viewIncluded(found.transaction, found.header, network.kind)
    await clock.sleep(milliseconds(LIGHT_LIMITS.pollMs), signal)
  }
}

async function* watch(parts: LightAccessParts, signal: AbortSignal): AsyncIterable<HeadView> {
  let height = -1
  while (!signal.aborted) {
    const head = await viewHead(parts, signal)
    if (head.height > height) yield head
    height = head.height
    await parts.clock.sleep(milliseconds(LIGHT_LIMITS.pollMs), signal).catch(() => undefined)
  }
}

function unknownTransaction(id: Hash): LightAccessError {
  const message = `No node has the transaction ${id} in a block. It may still wait; ask again, or send it again.`
  return new LightAccessError('CHAIN_TRANSACTION_UNKNOWN', message, { details: { id } })
}
