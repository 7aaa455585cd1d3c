/**
 * What all people of a simulation do alike: they sign calls, spoil some of the bytes, hand them to a node and are told what became of them.
 * @module
 */
import type { FullNode } from '../../src/app/node/node.ts'
import type { Hash } from '../../src/base/brand.ts'
import { Writer } from '../../src/base/codec.ts'
import { HouseError, messageOf } from '../../src/base/error.ts'
import { contractOf } from '../../src/core/transaction/contracts.ts'
import { sealTransaction } from '../../src/core/transaction/transaction.ts'
import type { CallDraft, Person } from '../chain-accounts.ts'
import type { Chance } from './faults.ts'
import type { World } from './world.ts'

export interface WorkloadCounts {
  taken: number
  /** By the code of the refusal. */
  readonly refused: Map<string, number>
}

export interface Crowd {
  readonly world: World
  readonly chance: Chance
  readonly counts: WorkloadCounts
}

/** Bytes of a signed call of a contract. */
export function signedBy(
  { signatures }: World,
  { owner }: Person,
  { networkId, type, body, nonce, maxFee, tip }: Required<CallDraft> & { readonly networkId: Hash },
): Uint8Array {
  const writer = new Writer()
  contractOf(type)!.write(writer, body)
  const draft = { type, nonce, maxFee, tip, body: writer.finish() }
  const sign = (digest: Uint8Array): Uint8Array => signatures.signAs(owner, digest)
  return sealTransaction(networkId, draft, { publicKey: owner.publicKey, sign })
}

export function submit({ world, counts }: Crowd, node: FullNode, bytes: Uint8Array): void {
  const { witness, trace } = world
  node.access.submit(bytes).then(
    () => {
      counts.taken++
      trace.note('users', 'a call was taken')
    },
    (error: unknown) => {
      const code = error instanceof HouseError ? error.code : 'none'
      counts.refused.set(code, (counts.refused.get(code) ?? 0) + 1)
      trace.note('users', `a call was refused: ${code}`)
      if (code === 'none') witness.object('coded failures', `a call was refused with ${messageOf(error)}`)
    },
  )
}

/** Some bytes are changed, or missing. */
export function spoilt(chance: Chance, bytes: Uint8Array): Uint8Array {
  const manner = chance.pick(24)
  if (manner === 0) return bytes.subarray(0, chance.pick(bytes.length))
  if (manner === 1) bytes[chance.pick(bytes.length)]! ^= 1 << chance.pick(8)
  return bytes
}

export function oneOf<Item>(chance: Chance, items: readonly Item[]): Item {
  return items[chance.pick(items.length)]!
}
