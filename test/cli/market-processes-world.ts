/**
 * A network with a market in a data folder of its own: two validators, wallets with money, miners and chats as processes over TCP, and what its
 * chain says. Phases are as short as two busy cores allow; every receipt is audited.
 */
import { vi } from 'vitest'
import type { BlockView } from '../../src/app/chain/chain-access.ts'
import type { ChainMethods } from '../../src/app/chain/chain-methods.ts'
import type { LeaseView } from '../../src/app/chain/market-access.ts'
import type { ConnectedNode } from '../../src/app/control/connect.ts'
import type { OpenWallet } from '../../src/app/wallet.ts'
import { Writer } from '../../src/base/codec.ts'
import { codeOf } from '../../src/base/error.ts'
import type { KeyPair } from '../../src/core/ed25519.ts'
import { accountOf, accountOfAddress, addressOfAccount } from '../../src/core/fields.ts'
import type { Role } from '../../src/core/role.ts'
import { signTransaction } from '../../src/core/transaction/transaction.ts'
import { transfer } from '../../src/core/transaction/transfer.ts'
import { allHoldings, createLab, kill, type Lab, NETWORK, readyNode, startNode } from './chain-lab.ts'
import { makeWallet, passwordFileOf } from './cheap-wallet.ts'
import type { Dllm, Outcome, Started } from './dllm.ts'
import { type Ledger, ledgerOf } from './market-processes-ledger.ts'

export const DLLM = 1_000_000_000n
export const PRICE = 1_000n
export const MINERS_WALLET = 'miners'
export const CLIENT_WALLET = 'client'
const DEADLINE_MS = 180_000

const PARAMETERS = [
  // Blocks no faster than miners look at them: phases are counted in blocks, and an audit takes a second where others use the machine as well.
  ...['proposeMs=800', 'voteMs=300', 'roundMs=100', 'commitMs=1000'],
  ...['disputeBlocks=5', 'auditCommitBlocks=9', 'auditRevealBlocks=9', 'receiptRows=512'],
  // The price stays, so that what a lease costs follows from its work alone; and no epoch ends.
  ...[`priceMin=${PRICE}`, `priceMax=${PRICE}`, 'issuancePerBlock=0', 'epochBlocks=20000'],
  // One miner beside those of a lease is left for an audit of each lot.
  ...['auditors=2', 'auditorsMin=1', 'auditShare=1000', 'auditShareNew=1000', 'auditFee=30'],
  // So that the lowest bid wins, whatever was measured.
  'latencyWeight=0',
]

export interface MinerAccount {
  /** Account of the wallet MINERS_WALLET. */
  readonly account: number
  readonly operator: string
  readonly payout: string
}

/** How a miner of the market is started. */
export interface MinerStart {
  readonly name: string
  readonly account: number
  readonly segments: string
  /** Grains per CU. */
  readonly bid: bigint
}

export interface MarketWorld {
  readonly lab: Lab
  readonly chain: ConnectedNode<ChainMethods>
  /** Of accounts 1 to 4. */
  readonly miners: readonly MinerAccount[]
  /** Of the wallet CLIENT_WALLET. */
  readonly client: string
  readonly password: readonly string[]
  /** Runs `dllm` on the network. */
  run(...args: string[]): Promise<Outcome>
  json<Value>(...args: string[]): Promise<Value>
  startMiner(miner: MinerStart): Started
  /** What everybody has at the newest block, with its height. */
  ledger(): Promise<{ readonly height: number; readonly ledger: Ledger }>
  blocks(first: number, last: number): Promise<BlockView[]>
  /** Waits until the chain has settled a lease; how it was before, and when it was gone. */
  settled(id: LeaseView['id']): Promise<LeaseView>
  /** Ends the processes of the validators and of these miners. */
  end(): Promise<void>
}

export async function createMarketWorld(dllm: Dllm): Promise<MarketWorld> {
  const lab = await createLab(dllm, 2, PARAMETERS)
  const password = ['--password-file', passwordFileOf(dllm)]
  const nodes = lab.names.map((name) => startNode(dllm, name))
  const opened = await makeWallet(dllm, MINERS_WALLET)
  await makeWallet(dllm, CLIENT_WALLET)
  const [chain, second] = await Promise.all(lab.names.map((name, index) => readyNode(dllm, name, nodes[index]!)))
  second!.close()
  const miners = [1, 2, 3, 4].map((account) => ({
    account,
    operator: addressFor(opened, 'operator', account),
    payout: addressFor(opened, 'payout', account),
  }))
  const { accounts } = await dllm.json<{ accounts: { role: Role; address: string }[] }>([
    ...['wallet', 'show', CLIENT_WALLET, '--network', NETWORK],
  ])
  const client = accounts.find(({ role }) => role === 'owner')!.address
  const running = new Set<Started>(nodes)
  const on = ['--network', NETWORK]
  return {
    ...{ lab, chain: chain!, miners, client, password },
    run: (...args) => dllm.run([...args, ...on]),
    json: (...args) => dllm.json([...args, ...on]),
    startMiner({ name, account, segments, bid }) {
      const where = ['--name', name, '--segments', segments, '--listen', '/ip4/127.0.0.1/tcp/0', '--threads', '1']
      const who = ['--wallet', MINERS_WALLET, '--account', String(account), ...password]
      const miner = dllm.start(['mine', ...on, ...where, ...who, '--bid', String(bid), '--free', '--json'])
      running.add(miner)
      return miner
    },
    async ledger() {
      const head = await chain!.call('dllm_head', {})
      // States of the past are kept a moment after their blocks.
      const { height } = await vi.waitUntil(
        async () => {
          const view = await chain!.call('dllm_holdings', {})
          return view.height >= head.height && view
        },
        { timeout: DEADLINE_MS, interval: 20 },
      )
      return { height, ledger: ledgerOf(await allHoldings(chain!, height)) }
    },
    async blocks(first, last) {
      const blocks: BlockView[] = []
      for (let height = first; height <= last; height++) blocks.push(await chain!.call('dllm_block', { height }))
      return blocks
    },
    async settled(id) {
      let last: LeaseView | undefined
      for await (const _head of chain!.stream('dllm_watchHeads', {})) {
        const view = await chain!.call('dllm_lease', { id }).catch(unlessSettled)
        if (view === undefined) break
        last = view
      }
      return last!
    },
    async end() {
      chain!.close()
      await Promise.all([...running].map(kill))
    },
  }
}

/** Grains from the money of the network to each of these, one block for all. */
export async function fund(
  { lab, chain }: Pick<MarketWorld, 'lab' | 'chain'>,
  addresses: readonly string[],
  amount: bigint,
): Promise<void> {
  const keys = lab.wallet.keys({ network: 'local', role: 'owner', account: 0 })
  const { nonce } = await chain.call('dllm_account', { address: addressOf(keys) })
  for (const [index, address] of addresses.entries()) {
    const body = new Writer(64)
    transfer.write(body, { to: accountOfAddress(address, 'local'), amount, memo: new Uint8Array(0) })
    const draft = { type: transfer.type, nonce: BigInt(nonce) + BigInt(index), maxFee: 1_000_000n, tip: 1n }
    const bytes = signTransaction(lab.networkId, { ...draft, body: body.finish() }, keys)
    await chain.call('dllm_submit', { transaction: Buffer.from(bytes).toString('hex') })
  }
  await until(async () => {
    const balances = await Promise.all(addresses.map((address) => chain.call('dllm_account', { address })))
    return balances.every(({ balance }) => BigInt(balance) >= amount)
  })
}

/** Resolves once it holds. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  await vi.waitUntil(holds, { timeout: DEADLINE_MS, interval: 200 })
}

function addressFor(wallet: OpenWallet, role: Role, account: number): string {
  return addressOf(wallet.keys({ network: 'local', role, account }))
}

function addressOf({ publicKey }: KeyPair): string {
  return addressOfAccount(accountOf(publicKey), 'local')
}

function unlessSettled(error: unknown): undefined {
  if (codeOf(error) !== 'NO_SUCH_LEASE') throw error
}
