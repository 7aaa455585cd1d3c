/**
 * Looks at the chain of the network: through a full node of this machine, else a light client; opened again when it is lost.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { NODE_LIMITS } from '../../base/chain-limits.ts'
import { codeOf, HouseError } from '../../base/error.ts'
import { accountOfAddress } from '../../core/fields.ts'
import type { ChainAccess } from '../chain/chain-access.ts'
import { createEarningsLook, type EarningsLook } from '../chain/earnings-look.ts'
import { openChain } from '../chain/open-chain.ts'
import type { Home } from '../home.ts'
import type { Network } from '../networks.ts'
import type { System } from '../system.ts'
import { createWallets } from '../wallet.ts'
import type { AccountLook, ChainLook, ChainSeen, Looker } from './looks.ts'

export interface ChainToWatch {
  readonly home: Home
  readonly network: Network
  /** Whose price is looked at. */
  readonly model: Hash
  /** Whose accounts are looked at. */
  readonly wallet: string | undefined
}

interface Open {
  readonly access: ChainAccess
  readonly addresses: readonly { readonly role: string; readonly address: string }[]
  readonly model: Hash
  readonly earnings: EarningsLook
  /** What is asked for once per block. */
  perBlock: PerBlock
  height: number
}

type PerBlock = Pick<ChainSeen, 'validators' | 'price' | 'miner' | 'mined'>

export function createChainLooker(watched: ChainToWatch, system: System): Looker<ChainLook> {
  let open: Open | undefined
  const close = async (): Promise<void> => {
    const closing = open
    open = undefined
    await closing?.access.close()
  }
  return {
    close,
    look: async (signal) => {
      try {
        open ??= await openFor(watched, system, signal)
        return await seenBy(open, signal)
      } catch (error) {
        await close()
        signal.throwIfAborted()
        if (!(error instanceof HouseError)) throw error
        return { type: 'none', code: error.code, message: error.message }
      }
    },
  }
}

async function openFor(
  { home, network, model, wallet }: ChainToWatch,
  system: System,
  signal: AbortSignal,
): Promise<Open> {
  const access = await openChain({ home, network, system, signal })
  try {
    const wallets = createWallets({ folder: home.file('wallets') }, system)
    const view = wallet === undefined ? undefined : await wallets.show(wallet, access.network.kind)
    const addresses = (view?.accounts ?? []).map(({ role, address }) => ({ role, address }))
    const earnings = earningsLook({ home, access, addresses }, system)
    return { access, addresses, model, earnings, perBlock: { validators: [] }, height: -1 }
  } catch (error) {
    await access.close()
    throw error
  }
}

/** A fifth of what a command reads: the newest are enough for today, and a total says when it is of a part. */
const RECORDS_MAX = NODE_LIMITS.earningsRecordsMax / 5

function earningsLook(
  { home, access, addresses }: Pick<ChainToWatch, 'home'> & Pick<Open, 'access' | 'addresses'>,
  system: System,
): EarningsLook {
  const operators = addresses.filter(({ role }) => role === 'operator')
  const accounts = operators.map(({ address }) => accountOfAddress(address, access.network.kind))
  const wish = { accounts, withLocal: true, recordsMax: RECORDS_MAX, limit: 0 }
  return createEarningsLook({ home, chain: access }, wish, system)
}

async function seenBy(open: Open, signal: AbortSignal): Promise<ChainLook> {
  const { access, addresses } = open
  const [head, node] = await Promise.all([access.head(signal), access.nodeStatus?.(signal)])
  if (head.height !== open.height) {
    open.perBlock = await askPerBlock(open, signal)
    open.height = head.height
  }
  const accounts: AccountLook[] = []
  for (const { role, address } of addresses) accounts.push(await accountLook(access, { role, address }, signal))
  return { type: 'seen', head, ...(node === undefined ? {} : { node }), ...open.perBlock, accounts }
}

async function askPerBlock({ access, addresses, model, earnings }: Open, signal: AbortSignal): Promise<PerBlock> {
  const { market, network } = access
  const validators = await access.validators(signal)
  const operator = addresses.find(({ role }) => role === 'operator')?.address
  const known = await unlessUnknown(market.model(model, signal))
  const miner =
    operator === undefined
      ? undefined
      : await unlessUnknown(market.miner(accountOfAddress(operator, network.kind), signal))
  const mined = await unlessUnknown(earnings.look(signal))
  return {
    validators,
    ...(mined === undefined ? {} : { mined }),
    ...(known === undefined ? {} : { price: known.price }),
    ...(miner === undefined ? {} : { miner }),
  }
}

/** What is not registered is nothing; nor is anything where the node is older than the market, or there is none. */
const UNKNOWN_CODES: readonly unknown[] = [
  ...['NO_SUCH_MODEL', 'NO_SUCH_MINER', 'CONTROL_METHOD_UNKNOWN', 'LIGHT_NEEDS_NODE'],
]

async function unlessUnknown<Found>(asking: Promise<Found>): Promise<Found | undefined> {
  return asking.catch((error: unknown) => {
    if (UNKNOWN_CODES.includes(codeOf(error))) return undefined
    throw error
  })
}

async function accountLook(
  access: ChainAccess,
  { role, address }: { readonly role: string; readonly address: string },
  signal: AbortSignal,
): Promise<AccountLook> {
  const { balance, bonds, unbondings } = await access.account(accountOfAddress(address, access.network.kind), signal)
  const bonded = [...bonds, ...unbondings].reduce((sum, { amount }) => sum + BigInt(amount), 0n)
  return { role, address, balance, bonded: String(bonded) }
}
