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
  const accounts = { ...(await read(home)) }
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
async function read(home: Home): Promise<MinerAccounts> {
  const text = await readFile(file(home), 'utf8').catch(() => '{}')
  try {
    const accounts = JSON.parse(text) as MinerAccounts
    return Object.values(accounts).every(Number.isInteger) ? accounts : {}
  } catch {
    return {}
  }
}

function file(home: Home): string {
  return home.file('devnet', 'chain', 'miner-accounts.json')
}
