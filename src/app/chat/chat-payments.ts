/**
 * Whether a chat pays, and with what: the network has a chain, and there is a wallet. On the local network that is the wallet `local`, and whatever
 * keeps it from paying keeps nobody from chatting. Loaded only for networks with a chain; the chain itself only when a lease must be opened.
 * Spec: docs/spec/market.md §9.1, docs/spec/cli.md §11.
 * @module
 */
import { existsSync } from 'node:fs'
import { type AccountId, type Hash, milliseconds } from '../../base/brand.ts'
import { addressKindOf } from '../chain/address-kind.ts'
import { isStarterRunning } from '../devnet/chain-starter.ts'
import { LOCAL_WALLET } from '../devnet/local-wallet.ts'
import { leaseBookOf } from '../market/client-book.ts'
import type { LeaseOpener } from '../market/client-opener.ts'
import { type ClientPayments, createClientPayments } from '../market/client-payments.ts'
import { LOCAL_NETWORK, type Network } from '../networks.ts'
import { walletPath } from '../wallet-files.ts'
import { type ChatWallet, ChatWalletError, openChatWallet } from './chat-wallet.ts'
import { createPaymentNotes } from './payment-notes.ts'
import type { ChatRun } from './run-chat.ts'

export interface PayableChat {
  readonly network: Network
  /** As it stands in the network's file. */
  readonly genesis: string
  /** Hash of the model's manifest. */
  readonly model: Hash
  /** Of the setting. */
  readonly wallet: string
  /** Grains. */
  readonly cap: bigint | undefined
  /** Whether lines are being typed, so that no password can be. */
  readonly isTyping: () => boolean
  /** Keeps the wallet for the versions that come after. */
  readonly purse: { wallet: ChatWallet | undefined }
}

/** A local chain that stands still keeps nobody from chatting for long. */
const LOCAL_PATIENCE_MS = milliseconds(15_000)

/** undefined: there is nothing to pay with. @throws WalletFileError, KeystoreError for a wallet that was named. */
export async function chatPayments(run: ChatRun, chat: PayableChat): Promise<ClientPayments | undefined> {
  const { flags, home, system } = run
  const { network, genesis, model, cap } = chat
  const isLocal = network.id === LOCAL_NETWORK.id
  const name = flags.wallet ?? (isLocal ? LOCAL_WALLET : chat.wallet)
  if (flags.wallet === undefined && !hasWallet(run, name)) return undefined
  const kind = await addressKindOf(home, network.id)
  const { purse, isTyping } = chat
  purse.wallet ??= openChatWallet(run, { name, kind, account: flags.account, isTyping })
  const { wallet } = purse
  const mayBeFree = flags.wallet === undefined
  // Of another account only where its address is known, which takes a password where it is not the first one.
  const payer = mayBeFree && flags.account === 0 ? undefined : await wallet.account()
  const { note, say } = createPaymentNotes(run, { isQuiet: isLocal && mayBeFree })
  return createClientPayments(
    {
      ...{ model, cap, mayBeFree },
      book: leaseBookOf(home, genesis, system),
      isPayer: (id: AccountId) => payer === undefined || payer === id,
      opener: () => openerFor(run, { network, wallet, genesis, note }),
      say,
    },
    system,
  )
}

function hasWallet({ home }: ChatRun, name: string): boolean {
  try {
    return existsSync(walletPath(home.file('wallets'), name))
  } catch {
    // The setting allows more than a wallet's name can be.
    return false
  }
}

interface OpenerWish {
  readonly network: Network
  readonly wallet: ChatWallet
  readonly genesis: string
  readonly note: (text: string) => void
}

async function openerFor(run: ChatRun, { network, wallet, genesis, note }: OpenerWish): Promise<LeaseOpener> {
  const { home, system } = run
  const signal = run.signal()
  wallet.checkAskable()
  const isLocal = network.id === LOCAL_NETWORK.id
  // The first chat has started it in the background, and does not wait for it.
  if (isLocal && (await isStarterRunning(home)))
    throw new ChatWalletError('CHAT_NO_LEASE', 'The local chain is starting.')
  const [{ openChain }, { createLeaseOpener }] = await Promise.all([
    import('../chain/open-chain.ts'),
    import('../market/client-opener.ts'),
  ])
  const toOpen = { home, network, system, signal, note }
  const chain = await (isLocal ? openChain(toOpen, async () => undefined) : openChain(toOpen))
  try {
    const account = await wallet.account()
    const book = leaseBookOf(home, genesis, system)
    const onSlow = (): void => note('Waiting for the block that opens the lease…')
    const patienceMs = isLocal ? LOCAL_PATIENCE_MS : undefined
    return createLeaseOpener({ chain, book, account, keys: wallet.keys, onSlow, patienceMs }, system)
  } catch (error) {
    await chain.close()
    throw error
  }
}
