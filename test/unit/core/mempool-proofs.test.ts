/** Proofs in bodies, the dear part of a check: each is looked at once, a bounded number per block, and nobody is blamed for another's. */
import { beforeEach, describe, expect, test } from 'vitest'
import { MEMPOOL_LIMITS } from '../../../src/base/chain-limits.ts'
import { codeOf } from '../../../src/base/error.ts'
import { createBadProofs } from '../../../src/core/bad-proofs.ts'
import { createMempool, type Mempool, type MempoolLimits, type PoolHead } from '../../../src/core/mempool.ts'
import { verdictOf } from '../../../src/core/mempool-error.ts'
import { getAccount, putAccount } from '../../../src/core/state/accounts.ts'
import { overlayOn, type WriteState } from '../../../src/core/state/state.ts'
import type { OpenTransaction } from '../../../src/core/transaction/check.ts'
import { TransactionError } from '../../../src/core/transaction/contract.ts'
import { registerValidator } from '../../../src/core/transaction/register-validator.ts'
import { transfer } from '../../../src/core/transaction/transfer.ts'
import { proveValidatorKeys } from '../../../src/core/validator-proofs.ts'
import { DLLM, type Person, person, signCall, testGenesis, testNetwork } from '../../chain-accounts.ts'

const network = testNetwork(testGenesis())
const { networkId } = network
const people = [3, 4, 5, 6, 7, 8].map(person)
const [cleo, dan] = people as [Person, Person]
const REGISTRATION_UNITS = 2_000

let state: WriteState
/** Consensus keys whose proofs were looked at. */
let looks: number

beforeEach(() => {
  state = overlayOn(network.state)
  looks = 0
  for (const { id } of people) putAccount(state, id, { ...getAccount(state, id), balance: 10n * DLLM })
})

const head = (): PoolHead => {
  const accepts = ({ publicKey }: { readonly publicKey: Uint8Array }): false => {
    if (people.some(({ consensus }) => Buffer.compare(consensus.publicKey, publicKey) === 0)) looks++
    return false
  }
  return { state, context: { ...network.context, accepts } }
}
const pool = (limits: Partial<MempoolLimits> = {}): Mempool => createMempool(head(), { ...MEMPOOL_LIMITS, ...limits })
const pay = (sender: Person, nonce = 0n, amount = DLLM): Uint8Array =>
  signCall(networkId, sender, { type: transfer.type, body: { to: cleo.id, amount, memo: new Uint8Array(0) }, nonce })
/** `owner`: whom the proofs are for; another one's are worth nothing. */
const register = (sender: Person, nonce: bigint, owner = sender, maxFee = 100n): Uint8Array => {
  const keys = proveValidatorKeys({ networkId, owner: owner.id }, sender.consensus, sender.seedSecret)
  return signCall(networkId, sender, { type: registerValidator.type, body: { ...keys, name: 'one' }, nonce, maxFee })
}
const codeAndVerdict = (act: () => unknown): unknown[] => {
  try {
    act()
    return []
  } catch (error) {
    return [codeOf(error), verdictOf(error)]
  }
}
const pass = (mempool: Mempool, ...whose: readonly Person[]): void => {
  for (const { id } of whose) putAccount(state, id, { ...getAccount(state, id), nonce: 1n })
  mempool.advance(
    head(),
    whose.map(({ id }) => id),
  )
}
const given = (mempool: Mempool): bigint[] => {
  const nonces: bigint[] = []
  const candidates = mempool.candidates()
  for (let next = candidates.next(true); !next.done; next = candidates.next(true)) {
    nonces.push(next.value.transaction.nonce)
  }
  return nonces
}

describe('a proof', () => {
  test('is looked at once, however often the account changes', () => {
    const mempool = pool()
    expect(mempool.add(register(cleo, 0n)).isProven).toBe(true)
    for (let times = 0; times < 5; times++) mempool.advance(head(), [cleo.id])
    expect(given(mempool)).toEqual([0n])
    expect(looks).toBe(1)
  })

  test('that comes behind another transaction waits unproven, which others must not be told', () => {
    const mempool = pool()
    expect(mempool.add(pay(cleo)).isProven).toBe(true)
    expect(mempool.add(register(cleo, 1n)).isProven).toBe(false)
    expect(looks).toBe(0)
    pass(mempool, cleo)
    expect([...mempool.all()].map(({ isProven }) => isProven)).toEqual([true])
  })

  test('that is bad is out as soon as somebody looked', () => {
    const mempool = pool()
    mempool.add(pay(cleo))
    mempool.add(register(cleo, 1n, dan))
    expect(given(mempool)).toEqual([0n])
    expect(mempool.size).toBe(1)
  })

  test('that is bad is looked at once: the transaction is refused unseen when it comes again, and who brings it is blamed', () => {
    const mempool = pool()
    mempool.add(pay(cleo))
    mempool.add(register(cleo, 1n, dan))
    given(mempool)
    expect(looks).toBe(1)
    for (let times = 0; times < 3; times++) {
      expect(codeAndVerdict(() => mempool.add(register(cleo, 1n, dan)))).toEqual(['BAD_CONSENSUS_PROOF', 'reject'])
    }
    expect(looks).toBe(1)
  })

  test('of who sent a false one waits, so that other transactions with other false ones cost nothing', () => {
    const mempool = pool()
    expect(codeAndVerdict(() => mempool.add(register(cleo, 0n, dan)))).toEqual(['BAD_CONSENSUS_PROOF', 'reject'])
    for (const maxFee of [101n, 102n, 103n]) {
      const other = (): unknown => mempool.add(register(cleo, 0n, dan, maxFee))
      expect(codeAndVerdict(other)).toEqual(['MEMPOOL_BAD_PROOF', 'ignore'])
    }
    expect(looks).toBe(1)
    const { state: latest, context } = head()
    mempool.advance(
      { state: latest, context: { ...context, height: context.height + MEMPOOL_LIMITS.badProofBlocks } },
      [],
    )
    expect(mempool.add(register(cleo, 0n, cleo, 200n)).isProven).toBe(true)
  })

  test('that is bad is remembered of a bounded number of senders', () => {
    const badProofs = createBadProofs()
    const found = new TransactionError('BAD_SEED_PROOF', 'no')
    const prove = (): never => {
      throw found
    }
    const from = (number: number) =>
      ({
        contract: { ...registerValidator, prove },
        transaction: { sender: String(number), id: String(number) },
      }) as unknown as OpenTransaction
    for (let number = 0; number <= MEMPOOL_LIMITS.badProofsMax; number++)
      expect(() => badProofs.prove(from(number), { ...network.context, height: 1 })).toThrow(found)
    expect(() => badProofs.check(from(0), 2)).not.toThrow()
    expect(() => badProofs.check(from(1), 2)).toThrow(found)
  })

  test.each<[string, (mempool: Mempool) => void]>([
    ['proposal', (mempool) => void given(mempool)],
    ['block', (mempool) => pass(mempool, ...people)],
  ])('is looked at for a bounded number of transactions per %s', (_what, act) => {
    const mempool = pool({ provingUnitsMax: 2 * REGISTRATION_UNITS })
    for (const one of people) {
      mempool.add(pay(one))
      mempool.add(register(one, 1n, one === cleo ? dan : cleo))
    }
    act(mempool)
    expect(looks).toBe(2)
  })

  test('does not keep back those that need none', () => {
    const mempool = pool({ provingUnitsMax: 0 })
    mempool.add(pay(cleo))
    mempool.add(register(cleo, 1n))
    mempool.add(pay(dan))
    mempool.add(pay(dan, 1n))
    expect(given(mempool).toSorted()).toEqual([0n, 0n, 1n])
  })
})

describe('what is wrong in every state', () => {
  test('is refused behind another transaction as well, so that no relay is blamed for it later', () => {
    const mempool = pool()
    mempool.add(pay(cleo))
    try {
      mempool.add(pay(cleo, 1n, 0n))
      expect.unreachable()
    } catch (error) {
      expect([(error as { code: string }).code, verdictOf(error)]).toEqual(['ZERO_AMOUNT', 'reject'])
    }
  })
})
