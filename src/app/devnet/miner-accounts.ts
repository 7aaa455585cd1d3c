/**
 * Which account of the wallet `local` each miner process has. A name keeps its account as long as the chain is there: on the chain its
 * peer key belongs to that account. Spec: docs/spec/home.md §5.
 * @module
 */
import { readFile, rm } from 'node:fs/promises'
import { type Home, writeFileAtomic } from '../home.ts'
import { MINER_ACCOUNT_FIRST, MINER_ACCOUNTS } from './local-market.ts'

/** By name of the miner. */
export type MinerAccounts = Readonly<Record<string, number>>

/**
 * The accounts of all miners that ever had one, with those of `names` among them, as far as there are any left. The same at every call
 * until `rememberAccounts`. Whoever calls holds the lock of the groups.
 */
export async function minerAccounts(home: Home, names: readonly string[]): Promise<MinerAccounts> {
  const accounts = { ...(await readMinerAccounts(home)) }
  for (const name of names) {
    const next = MINER_ACCOUNT_FIRST + Object.keys(accounts).length
    if (next < MINER_ACCOUNT_FIRST + MINER_ACCOUNTS) accounts[name] ??= next
  }
  return accounts
}

export async function rememberAccounts(home: Home, accounts: MinerAccounts): Promise<void> {
  await writeFileAtomic(file(home), `${JSON.stringify(accounts, undefined, 2)}\n`)
}

/** For a new chain, on which nobody is registered. */
export async function forgetAccounts(home: Home): Promise<void> {
  await rm(file(home), { force: true })
}

/** A damaged file is none: a miner whose account changed says so when the chain refuses it. */
export async function readMinerAccounts(home: Home): Promise<MinerAccounts> {
  const text = await readFile(file(home), 'utf8').catch(() => '{}')
  try {
    const found: unknown = JSON.parse(text)
    return isAccounts(found) ? found : {}
  } catch {
    return {}
  }
}

/** Accounts of the genesis, none of them twice. */
function isAccounts(found: unknown): found is MinerAccounts {
  if (typeof found !== 'object' || found === null || Array.isArray(found)) return false
  const accounts: unknown[] = Object.values(found)
  const isFunded = (account: unknown): boolean =>
    Number.isInteger(account) &&
    Number(account) >= MINER_ACCOUNT_FIRST &&
    Number(account) < MINER_ACCOUNT_FIRST + MINER_ACCOUNTS
  return accounts.every(isFunded) && new Set(accounts).size === accounts.length
}

function file(home: Home): string {
  return home.file('devnet', 'chain', 'miner-accounts.json')
}
