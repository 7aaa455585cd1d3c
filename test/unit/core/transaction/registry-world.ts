/**
 * A network on which tests register models and miners, and the calls for it. Sums and the whole state are checked after each.
 * @module
 */
import { expect } from 'vitest'
import { type Hash, hash } from '../../../../src/base/brand.ts'
import { keyPairFromSecret } from '../../../../src/core/ed25519.ts'
import { provePeerKey } from '../../../../src/core/peer-key-proof.ts'
import { getAccount } from '../../../../src/core/state/accounts.ts'
import { conservationFault } from '../../../../src/core/state/conservation.ts'
import { stateFaults } from '../../../../src/core/state/invariants.ts'
import { createStateStore, type Overlay, overlayOn } from '../../../../src/core/state/state.ts'
import { applyTransaction, checkTransaction, type TransactionContext } from '../../../../src/core/transaction/check.ts'
import type { Place } from '../../../../src/core/transaction/place.ts'
import type { RegisterMiner } from '../../../../src/core/transaction/register-miner.ts'
import type { RegisterModel } from '../../../../src/core/transaction/register-model.ts'
import { DLLM, type Person, person, signedCall, testGenesis, testNetwork } from '../../../chain-accounts.ts'
import { closeLot, lotsOf, openLot } from '../../../hand-lots.ts'

export const [ben, cleo, dan] = [2, 3, 4].map(person) as [Person, Person, Person]
export const network = testNetwork(
  testGenesis({
    modelDeposit: 10n * DLLM,
    minerDepositMin: 2n * DLLM,
    placementBlocks: 50n,
    priceMin: 2n,
    priceMax: 90n,
  }),
)
export const HEIGHT = network.context.height
export const MODEL = hash('a1'.repeat(32))
export let state: Overlay

export interface Step {
  readonly type: number
  readonly body: unknown
  readonly by?: Person
  readonly at?: Partial<TransactionContext>
}

/** Carries out a call at the sender's nonce. */
function apply({ type, body, by = cleo, at = {} }: Step): void {
  const context = { ...network.context, ...at }
  const nonce = getAccount(state, by.id).nonce
  const call = signedCall(network.networkId, by, { type, body, nonce })
  applyTransaction(checkTransaction(call, state, context), state, context)
}

/** As `apply`; sums must agree afterwards, and the whole state be sound. */
export function run(step: Step): void {
  apply(step)
  expect(conservationFault(network.state, state.changes())).toBeUndefined()
  expect(stateFaults(createStateStore([...network.state.entries('' as never), ...state.changes()]))).toEqual([])
}

export function refuses(step: Step, code: string): void {
  const before = state.changes()
  expect(() => apply(step)).toThrow(expect.objectContaining({ code }))
  expect(state.changes()).toEqual(before)
}

export const segments = [1, 2, 3].map((number) => ({ linear: BigInt(number) * 1_000_000n, attention: 384n }))
export const aModel: RegisterModel = { model: MODEL, name: 'example-1', context: 512, price: 5n, segments }
export const model = (change: Partial<RegisterModel> = {}): Step => ({ type: 8, body: { ...aModel, ...change } })
export const retire = (of: Hash = MODEL): Step => ({ type: 9, body: { model: of } })
export const peerOf = (number: number) => keyPairFromSecret(new Uint8Array(32).fill(200 + number))
export const miner = (change: Partial<RegisterMiner> = {}, operator: Person = cleo, peer = 1): Step => {
  const proof = provePeerKey({ networkId: network.networkId, operator: operator.id }, peerOf(peer))
  const body = { payout: operator.id, device: 'cpu', deposit: 5n * DLLM, ...proof, ...change }
  return { type: 10, body, by: operator }
}
export const withdraw = (amount: bigint): Step => ({ type: 11, body: { amount } })
export const aPlace: Place = {
  ...{ model: MODEL, first: 0, end: 2, slots: 3, bid: 4n, until: HEIGHT + 50, incarnation: 7n, displaces: false },
}
export const place = (change: Partial<Place> = {}): Step => ({ type: 12, body: { ...aPlace, ...change } })

let lots = 0

/** Opens lots of cleo, with so many grains locked for each. */
export function open(count: number, task = 0n): void {
  for (let index = 0; index < count; index++) openLot(state, { model: MODEL, operator: cleo.id, task }, ++lots)
}

/** Closes lots of cleo. */
export function close(count: number): void {
  for (const id of lotsOf(state, cleo.id).slice(0, count)) closeLot(state, id)
}

export function begin(...steps: readonly Step[]): void {
  state = overlayOn(network.state)
  for (const step of steps) run(step)
}
