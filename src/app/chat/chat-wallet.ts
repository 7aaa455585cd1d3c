/**
 * The wallet that a chat pays with. Its password is asked for once, when a lease must be opened; what the keystore shows without is enough for
 * the rest. Spec: docs/spec/cli.md §11.
 * @module
 */

import { hexToBytes } from '@noble/hashes/utils.js'
import type { AccountId } from '../../base/brand.ts'
import { HouseError } from '../../base/error.ts'
import type { KeyPair } from '../../core/ed25519.ts'
import { accountOf } from '../../core/fields.ts'
import type { NetworkKind } from '../../core/network-kind.ts'
import { LOCAL_WALLET } from '../devnet/local-wallet.ts'
import type { KeyChoice } from '../wallet.ts'
import type { ChatRun } from './run-chat.ts'

/** Why no lease is opened, where nobody asked for one. */
export class ChatWalletError extends HouseError<'CHAT_NO_LEASE'> {}

export interface ChatWallet {
  /** Who pays. */
  account(): Promise<AccountId>
  /** Asks for the password, if nothing else gives it. @throws KeystoreError, PromptError, ChatWalletError. */
  keys(): Promise<KeyPair>
  /** @throws ChatWalletError CHAT_NO_LEASE where the password could not be asked for anyhow. */
  checkAskable(): void
}

export interface ChatWalletWish {
  readonly name: string
  readonly kind: NetworkKind
  readonly account: number
  /** Whether lines are being typed, so that no password can be. */
  readonly isTyping: () => boolean
}

export function openChatWallet({ home, flags, system }: ChatRun, wish: ChatWalletWish): ChatWallet {
  const { name, kind, account } = wish
  const choice: KeyChoice = { network: kind, role: 'owner', account, index: 0 }
  let opened: Promise<KeyPair> | undefined
  const wallets = async () => (await import('../wallet.ts')).createWallets({ folder: home.file('wallets') }, system)
  const isAsked = flags['password-file'] === undefined && flags['password-fd'] === undefined && name !== LOCAL_WALLET

  const open = async (): Promise<KeyPair> => {
    if (isAsked && wish.isTyping()) throw cannotAsk(`/exit, and start the chat again`)
    const [{ openWithPassword }, { openPrompter }] = await Promise.all([
      import('../wallet-password.ts'),
      import('../prompt.ts'),
    ])
    let prompter: ReturnType<typeof openPrompter> | undefined
    try {
      const asked = { wallets: await wallets(), name, flags, home }
      const wallet = await openWithPassword({
        ...asked,
        // What comes from stdin is the prompt of the chat.
        prompter: () => {
          prompter ??= openPrompter({ stdin: 'data' })
          return prompter
        },
      })
      return wallet.keys(choice)
    } finally {
      prompter?.close()
    }
  }
  const keys = (): Promise<KeyPair> => {
    opened ??= open()
    opened.catch(() => {
      opened = undefined
    })
    return opened
  }
  const cannotAsk = (advice: string): ChatWalletError =>
    new ChatWalletError(
      'CHAT_NO_LEASE',
      `A lease must be opened, which takes the password of wallet ${name}: ${advice}.`,
    )

  return {
    keys,
    async account() {
      if (account !== 0) return accountOf((await keys()).publicKey)
      const { accounts } = await (await wallets()).show(name, kind)
      return accountOf(hexToBytes(accounts.find(({ role }) => role === 'owner')!.publicKey))
    },
    checkAskable() {
      const isPerson = process.stdin.isTTY && process.stderr.isTTY
      if (isAsked && flags.wallet === undefined && !isPerson) throw cannotAsk('give it with --password-file')
    },
  }
}
