/** Sending, from a call to a final block, over a real node in this process. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bondCall, type ChainCall, proposeCall, transferCall, unbondCall, voteCall } from '../../src/app/chain/calls.ts'
import type { TransactionView } from '../../src/app/chain/chain-access.ts'
import {
  type RegistrationPlace,
  registeredKeys,
  registration,
  writeValidatorFiles,
} from '../../src/app/chain/register-validator.ts'
import {
  type FeeWish,
  planText,
  planTransaction,
  SendError,
  type SendSteps,
  sendTransaction,
} from '../../src/app/chain/send-transaction.ts'
import { openHome } from '../../src/app/home.ts'
import { nodeFolder } from '../../src/app/node/node-folders.ts'
import { loadValidatorKeys } from '../../src/app/node/validator-keys.ts'
import { openDisk } from '../../src/app/store/disk.ts'
import { openSignState } from '../../src/app/store/sign-state.ts'
import type { OpenWallet } from '../../src/app/wallet.ts'
import { accountOf, addressOfAccount, ZERO_HASH } from '../../src/core/fields.ts'
import { balanceOf, DLLM, type OneNode, startOneNode } from './one-node.ts'

let one: OneNode
beforeAll(async () => {
  one = await startOneNode({ unbondingBlocks: 30n, proposalBlocks: 20n, proposalDeposit: 5n * DLLM, bondMin: DLLM })
})
afterAll(() => one.stop())

const idOf = (account: number) => accountOf(one.keys({ role: 'owner', account }).publicKey)
const addressOf = (account: number) => addressOfAccount(idOf(account), 'local')

interface Sent {
  readonly view: TransactionView
  /** Which steps were reached. */
  readonly steps: string[]
}

/** Sends as an account of the wallet. */
async function send(
  account: number,
  call: ChainCall,
  options: Partial<SendSteps> & { fees?: FeeWish } = {},
): Promise<Sent> {
  const { fees = {}, ...changed } = options
  const steps: string[] = []
  const view = await sendTransaction(
    { call, sender: idOf(account), fees },
    {
      ...{ chain: one.chain, clock: one.clock, signal: new AbortController().signal, waits: true },
      confirm: async () => void steps.push('confirm'),
      keys: async () => {
        steps.push('keys')
        return one.keys({ role: 'owner', account })
      },
      onSent: () => void steps.push('sent'),
      onStalled: () => void steps.push('stalled'),
      ...changed,
    },
  )
  return { view, steps }
}

const transferTo = (account: number, amount: string, memo?: string): ChainCall =>
  transferCall({ amount, address: addressOf(account), memo }, 'local')

/** Gives an account its first DLLM. */
async function fund(account: number, amount: string): Promise<void> {
  await send(0, transferTo(account, amount))
}

describe('what is sent', () => {
  test('moves money to the grain: the amount, and the fee that the view tells', async () => {
    await fund(1, '50')
    const { view, steps } = await send(1, transferTo(2, '12.000000001', 'rent'))
    expect(steps).toEqual(['confirm', 'keys', 'sent'])
    expect(view).toMatchObject({ type: 'transfer', nonce: '0', fee: '20', body: { memo: '72656e74' } })
    expect(view.height).toBeGreaterThan(0)
    expect(await balanceOf(one.chain, idOf(2))).toBe(12n * DLLM + 1n)
    expect(await balanceOf(one.chain, idOf(1))).toBe(38n * DLLM - 1n - 20n)
    expect(await one.chain.transaction(view.id)).toEqual(view)
  })

  test('becomes stake, and money again when the unbonding time is over', async () => {
    await fund(3, '20')
    const caller = { kind: 'local', id: idOf(3) } as const
    const bonded = await send(3, bondCall({ amount: '10', validator: addressOf(0) }, caller))
    expect((await one.chain.account(idOf(3))).bonds).toEqual([
      { validator: addressOf(0), validatorName: 'one-1', amount: String(10n * DLLM) },
    ])
    const unbonded = await send(3, unbondCall({ amount: '4', validator: addressOf(0) }, caller, '4'))
    const paid = BigInt(bonded.view.fee!) + BigInt(unbonded.view.fee!)
    await one.reached(unbonded.view.height! + 30)
    const { balance, bonds, unbondings } = await one.chain.account(idOf(3))
    // Rewards of an epoch may have come on top of the bond.
    expect(BigInt(balance)).toBeGreaterThanOrEqual(14n * DLLM - paid)
    expect(BigInt(bonds[0]!.amount)).toBeGreaterThanOrEqual(6n * DLLM)
    expect(unbondings).toEqual([])
  })

  test('changes a parameter when the stake votes yes', async () => {
    const { values, nextProposalDeposit } = await one.chain.parameters()
    expect(nextProposalDeposit).toBe(values.proposalDeposit)
    const { view } = await send(0, proposeCall(['voteMs=900'], nextProposalDeposit))
    await send(0, voteCall({ proposal: '0', yes: true }))
    const [proposal] = (await one.chain.parameters()).proposals!
    expect(proposal).toMatchObject({ number: 0, proposer: addressOf(0), changes: { voteMs: '900' }, noStake: '0' })
    expect(proposal!.votes).toEqual([{ voter: addressOf(0), yes: true }])
    expect(view.body).toEqual({ changes: [{ name: 'voteMs', value: '900' }] })
    await one.reached(proposal!.endHeight)
    expect((await one.chain.parameters()).proposals).toEqual([])
    expect((await one.chain.parameters()).values.voteMs).toBe('900')
  })
})

describe('a validator', () => {
  const root = mkdtempSync(join(tmpdir(), 'dllm-register-'))
  afterAll(() => rmSync(root, { recursive: true }))
  const placeOf = (account: number): RegistrationPlace => {
    const opened = { keys: one.keys } as Pick<OpenWallet, 'keys'> as OpenWallet
    return { chain: one.chain, owner: idOf(account), opened, choice: { network: 'local', account } }
  }
  const nodeCalled = (name: string) => ({ name, networkId: one.network.networkId })

  test('is registered with keys that the node of its name finds, and once', async () => {
    const home = await openHome({ path: join(root, 'home') })
    await fund(4, '5')
    const { call, keys } = await registration('Kitchen table', placeOf(4))
    await send(4, call, { prepare: () => writeValidatorFiles(home, nodeCalled('second'), keys) })
    const { validator } = await one.chain.account(idOf(4))
    expect(validator).toMatchObject({ name: 'Kitchen table', stake: '0', votes: false })

    const folder = nodeFolder(home, 'second')
    expect(await loadValidatorKeys(folder.validatorKey)).toEqual(keys)
    const disk = await openDisk(folder.disk)
    const identity = { networkId: one.network.networkId, publicKey: keys.consensus.publicKey }
    expect((await openSignState(disk, identity)).state().last).toBeUndefined()
    await disk.close()

    await expect(registration('again', placeOf(4))).rejects.toMatchObject({ code: 'VALIDATOR_KEY_IN_USE' })
    expect(await registeredKeys(placeOf(4))).toEqual(keys)
    await expect(registeredKeys(placeOf(5))).rejects.toMatchObject({ code: 'NOT_A_VALIDATOR' })
  })

  test('has one node on a network: its key is not given to a second one', async () => {
    const home = await openHome({ path: join(root, 'two') })
    const { keys } = await registration('x', placeOf(5))
    await writeValidatorFiles(home, nodeCalled('first'), keys)
    await writeValidatorFiles(home, nodeCalled('first'), keys)
    await expect(writeValidatorFiles(home, nodeCalled('second'), keys)).rejects.toMatchObject({
      code: 'VALIDATOR_KEY_IN_USE',
    })
    expect(await loadValidatorKeys(nodeFolder(home, 'second').validatorKey)).toBeUndefined()
    // On another network the same key signs other things.
    await writeValidatorFiles(home, { name: 'second', networkId: ZERO_HASH }, keys)
    const other = await registration('y', placeOf(6))
    await expect(writeValidatorFiles(home, nodeCalled('first'), other.keys)).rejects.toMatchObject({
      code: 'VALIDATOR_KEY_EXISTS',
    })
  })

  test('has a name that everybody can read', async () => {
    await expect(registration('Küche', placeOf(5))).rejects.toMatchObject({ code: 'VALIDATOR_NAME_BAD' })
  })
})

describe('nonces', () => {
  test('follow those that wait', async () => {
    await fund(6, '10')
    const first = await send(6, transferTo(7, '1'), { waits: false })
    const second = await send(6, transferTo(7, '1'), { waits: false })
    expect([first.view.nonce, second.view.nonce]).toEqual(['0', '1'])
    expect(first.view.height).toBeUndefined()
    await one.chain.waitFor(second.view.id)
    expect(await balanceOf(one.chain, idOf(7))).toBe(2n * DLLM)
  })

  test('name the transaction to replace', async () => {
    await fund(8, '10')
    // The second waits behind a gap, so that no block takes it.
    const stuck = await send(8, transferTo(9, '1'), { waits: false, fees: { nonce: 1n } })
    await expect(send(8, transferTo(9, '2'), { waits: false, fees: { nonce: 1n } })).rejects.toMatchObject({
      code: 'MEMPOOL_REPLACEMENT_TOO_CHEAP',
    })
    const better = await send(8, transferTo(9, '2'), { waits: false, fees: { nonce: 1n, tip: 5n, maxFee: 20n } })
    await expect(one.chain.transaction(stuck.view.id)).rejects.toMatchObject({ code: 'CHAIN_TRANSACTION_UNKNOWN' })
    await send(8, transferTo(9, '0.5'))
    await one.chain.waitFor(better.view.id)
    expect(await balanceOf(one.chain, idOf(9))).toBe((25n * DLLM) / 10n)
  })
})

describe('refused', () => {
  test('before anything is asked: more than the account has, fee included', async () => {
    await fund(10, '1')
    const steps: string[] = []
    const asked = async () => void steps.push('asked')
    await expect(send(10, transferTo(2, '1'), { confirm: asked, keys: asked as never })).rejects.toMatchObject({
      code: 'INSUFFICIENT_FUNDS',
      details: { missing: '20' },
    })
    expect(steps).toEqual([])
  })

  test('by the person: nothing is signed or sent', async () => {
    await fund(11, '5')
    const confirm = async () => {
      throw new SendError('SEND_DECLINED', 'Nothing was sent.')
    }
    const keys = () => Promise.reject(new Error('the wallet was opened'))
    await expect(send(11, transferTo(2, '1'), { confirm, keys })).rejects.toMatchObject({ code: 'SEND_DECLINED' })
    expect(await one.chain.account(idOf(11))).toMatchObject({ nonce: '0', waiting: 0, balance: String(5n * DLLM) })
  })

  test.each([
    ['a fee below the base fee', () => transferTo(2, '1'), { maxFee: 0n }, 'FEE_BELOW_BASE'],
    ['a nonce that was used', () => transferTo(2, '1'), { nonce: 0n }, 'NONCE_TOO_LOW'],
    ['a nonce far ahead', () => transferTo(2, '1'), { nonce: 1_000n }, 'MEMPOOL_NONCE_TOO_FAR'],
    [
      'a bond to somebody who is no validator',
      () => bondCall({ amount: '1', validator: addressOf(2) }, { kind: 'local', id: idOf(0) }),
      {},
      'NO_SUCH_VALIDATOR',
    ],
    [
      'more than the bond holds',
      () => unbondCall({ amount: '999999' }, { kind: 'local', id: idOf(0) }, '4'),
      {},
      'UNBOND_TOO_MUCH',
    ],
    ['a vote on nothing', () => voteCall({ proposal: '77', yes: true }), {}, 'NO_SUCH_PROPOSAL'],
    ['a parameter out of its bounds', () => proposeCall(['stakeShare=1001'], '0'), {}, 'PARAMETER_OUT_OF_BOUNDS'],
    ['a parameter that no vote changes', () => proposeCall(['epochBlocks=20'], '0'), {}, 'PARAMETER_FIXED'],
  ])('by the node: %s', async (_case, makeCall, fees, code) => {
    await fund(0, '1')
    await expect(send(0, makeCall(), { fees })).rejects.toMatchObject({ code })
  })
})

test('a plan says what it does, for whom, and what it costs', async () => {
  const plan = await planTransaction(one.chain, {
    ...{ call: transferTo(2, '1.5', 'a "memo"'), sender: idOf(0), fees: { tip: 3n, maxFee: 10n } },
  })
  expect(plan).toMatchObject({ units: 10, baseFee: 1n, fee: 40n, feeMax: 100n })
  const text = planText({ ...plan, balance: 2n * DLLM }, one.chain)
  expect(text.replaceAll(addressOf(0), 'SENDER').replaceAll(addressOf(2), 'RECEIVER')).toMatchInlineSnapshot(`
    "Send 1.5 DLLM
      to      RECEIVER
      memo    "a \\"memo\\"", which everybody can read
      sender  SENDER
      fee     0.00000004 DLLM, at most 0.0000001 DLLM
              (10 units, base fee 1)
      leaves  0.49999996 DLLM
    "
  `)
})

test('the newest block can be asked for as soon as it is known', async () => {
  for (let tries = 0; tries < 20; tries++) {
    const { height } = await one.chain.head()
    await expect(one.chain.block(height)).resolves.toMatchObject({ height })
    await one.reached(height + 1)
  }
})
