/**
 * What the commands of the chain share: the chain of the selected network, an account of a wallet, and sending.
 * Spec: docs/spec/cli.md §5 and §6.
 * @module
 */
import { Flags, type Interfaces } from '@oclif/core'
import type { AccountId } from '../base/brand.ts'
import type { KeyPair } from '../core/ed25519.ts'
import type { Role } from '../core/role.ts'
import type { GlobalFlags } from './base-command.ts'
import type { ChainCall } from './chain/calls.ts'
import type { ChainAccess, TransactionView } from './chain/chain-access.ts'
import type { TransactionPlan } from './chain/send-transaction.ts'
import { loadConfig } from './config.ts'
import type { LeaseBook } from './market/client-book.ts'
import { loadNetwork } from './networks.ts'
import type { KeyChoice, OpenWallet } from './wallet.ts'
import { type PasswordFlags, passwordFlags, roleFlag, treeFlags, WalletCommand } from './wallet-command.ts'

/** Which account of which wallet; a password is asked for only where the keystore does not show its address. */
export interface HolderFlags extends PasswordFlags {
  readonly wallet?: string | undefined
  readonly role: Role
  readonly account: number
  readonly index: number
}

export interface SenderFlags extends HolderFlags {
  readonly tip: string | undefined
  readonly 'max-fee': string | undefined
  readonly nonce: string | undefined
  readonly yes: boolean
  readonly wait: boolean
}

const walletFlag: Interfaces.OptionFlag<string | undefined> = Flags.string({
  description: 'Name of the wallet; without it, the one of the setting "wallet".',
  helpValue: 'NAME',
})

/** For commands that take the wallet's name as their argument. */
export const accountFlags: Interfaces.FlagInput<Omit<HolderFlags, 'wallet'>> = {
  role: roleFlag,
  ...treeFlags,
  ...passwordFlags,
}

export const holderFlags: Interfaces.FlagInput<HolderFlags> = { wallet: walletFlag, ...accountFlags }

const price = (description: string): Interfaces.OptionFlag<string | undefined> =>
  Flags.string({ description, helpValue: 'GRAINS', helpGroup: 'FEE' })

export const senderFlags: Interfaces.FlagInput<SenderFlags> = {
  ...holderFlags,
  tip: price('Grains per unit for the proposer; 1 if left out.'),
  'max-fee': price('Grains per unit at most; twice the base fee and the tip if left out.'),
  nonce: Flags.string({
    description: 'Take the place of your transaction with this nonce, which waits.',
    helpValue: 'NUMBER',
    helpGroup: 'FEE',
  }),
  yes: Flags.boolean<boolean>({ char: 'y', description: 'Send without asking.' }),
  wait: Flags.boolean<boolean>({ default: true, allowNo: true, description: 'Wait until it is in a final block.' }),
}

/** An account of a wallet; the wallet is opened when a key is needed, and once. */
export interface Holder {
  readonly wallet: string
  readonly address: string
  readonly id: AccountId
  readonly choice: KeyChoice
  open(): Promise<OpenWallet>
}

/** What a call is made for. */
export interface Sending {
  readonly chain: ChainAccess
  readonly holder: Holder
}

/** A call, and what must be on disk before it is sent. */
export interface CallToSend {
  readonly call: ChainCall
  readonly prepare?: () => Promise<void>
}

export abstract class ChainCommand extends WalletCommand {
  #chain: ChainAccess | undefined

  /** The chain of the selected network, opened once and closed at the end. @throws OpenChainError NO_NODE. */
  protected async chain(flags: GlobalFlags): Promise<ChainAccess> {
    if (this.#chain !== undefined) return this.#chain
    const { openChain } = await import('./chain/open-chain.ts')
    const home = await this.home(flags)
    const { settings } = await loadConfig({ home, env: process.env, flags: { network: flags.network } })
    const network = await loadNetwork(home, settings.network)
    const note = (text: string): void => this.note(text)
    this.#chain = await openChain({ home, network, system: this.system(flags), signal: this.signal, note })
    return this.#chain
  }

  /** The leases that this data folder pays with on the selected network. */
  protected async leaseBook(flags: GlobalFlags): Promise<LeaseBook | undefined> {
    const { findLeaseBook } = await import('./market/client-book.ts')
    const home = await this.home(flags)
    const { settings } = await loadConfig({ home, env: process.env, flags: { network: flags.network } })
    return findLeaseBook(home, await loadNetwork(home, settings.network), this.system(flags))
  }

  /** The account that flags name; `given` is a wallet's name from an argument. */
  protected async holder(flags: GlobalFlags & HolderFlags, given?: string): Promise<Holder> {
    const { wallets, network, name } = await this.walletContext(flags)
    const { accountOf, accountOfAddress, addressOfAccount } = await import('../core/fields.ts')
    const { role, account, index } = flags
    await this.#untilMade(name(given ?? flags.wallet), flags)
    const wallet = await wallets.show(name(given ?? flags.wallet), network)
    const choice: KeyChoice = { network, role, account, index }
    let opening: Promise<OpenWallet> | undefined
    const open = (): Promise<OpenWallet> => {
      opening ??= this.openWallet(wallets, wallet.name, flags)
      return opening
    }
    const shown = account === 0 && index === 0 ? wallet.accounts.find((one) => one.role === role) : undefined
    const id = shown ? accountOfAddress(shown.address, network) : accountOf((await open()).keys(choice).publicKey)
    return { wallet: wallet.name, address: addressOfAccount(id, network), id, choice, open }
  }

  /** The wallet of the local network is made by whoever starts its chain, which a first chat does in the background. */
  async #untilMade(wallet: string, flags: GlobalFlags): Promise<void> {
    const { LOCAL_WALLET } = await import('./devnet/local-wallet.ts')
    if (wallet !== LOCAL_WALLET) return
    const { untilChainStarted } = await import('./devnet/chain-starter.ts')
    const note = (text: string): void => this.note(text)
    await untilChainStarted({ home: await this.home(flags), ...this.system(flags), signal: this.signal, note })
  }

  /** Makes a transaction of a call, asks, sends it, waits for its block, and prints what became of it. */
  protected async send(
    flags: GlobalFlags & SenderFlags,
    makeCall: (sending: Sending) => CallToSend | Promise<CallToSend>,
  ): Promise<TransactionView> {
    const { parseFeeWish, sendTransaction } = await import('./chain/send-transaction.ts')
    const { money } = await import('./chain/text-parts.ts')
    const fees = parseFeeWish(flags)
    const chain = await this.chain(flags)
    const holder = await this.holder(flags)
    const { call, prepare } = await makeCall({ chain, holder })
    const keys = async (): Promise<KeyPair> => (await holder.open()).keys(holder.choice)
    const { clock } = this.system(flags)
    let id = ''
    const look = (): string => `dllm chain tx ${id}${flags.network === undefined ? '' : ` --network ${flags.network}`}`
    const { stalledText } = await import('./chain/wait-for-block.ts')
    const sending = sendTransaction(
      { call, sender: holder.id, fees },
      {
        ...{ chain, clock, signal: this.signal, keys, prepare, waits: flags.wait },
        confirm: (plan) => this.#confirmSending(plan, chain, flags),
        onSent: (sent) => {
          id = sent.id
          this.printLine(`Transaction  ${id}`)
          this.note(flags.wait ? 'Sent. Waiting for its block…' : `Sent. \`${look()}\` shows what becomes of it.`)
        },
        onStalled: (head) =>
          this.note(stalledText({ head, nowMs: clock.wallMs(), title: call.lines[0] ?? '', look: look() })),
      },
    )
    const sent = await sending.catch((error: unknown) => {
      if (id !== '' && this.signal.aborted)
        this.note(`It was sent all the same; \`${look()}\` shows what becomes of it.`)
      throw error
    })
    if (sent.height !== undefined) this.printLine(`In block     ${sent.height}`)
    if (sent.fee !== undefined) this.printLine(`Fee          ${money(sent.fee)}`)
    return sent
  }

  /** Shows what will happen; a person at the terminal is asked. @throws SendError SEND_DECLINED. */
  async #confirmSending(plan: TransactionPlan, chain: ChainAccess, { yes }: SenderFlags): Promise<void> {
    const { planText, SendError } = await import('./chain/send-transaction.ts')
    const mustAsk = !yes && this.prompter().isInteractive
    // What a person answers to is shown, under --json too.
    if (mustAsk || !this.jsonEnabled()) process.stderr.write(planText(plan, chain))
    if (!mustAsk) return
    const answer = await this.prompter().ask('Send it? [y/N] ')
    if (/^y(?:es)?$/i.test(answer.trim())) return
    throw new SendError('SEND_DECLINED', 'Nothing was sent.')
  }

  protected override async finally(error: Error | undefined): Promise<void> {
    await this.#chain?.close()
    await super.finally(error)
  }
}
