/** Which account a miner of the local network has: no two the same, and a name keeps its own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { MINER_ACCOUNT_FIRST, MINER_ACCOUNTS } from '../../../../src/app/devnet/local-market.ts'
import { forgetAccounts, minerAccounts, rememberAccounts } from '../../../../src/app/devnet/miner-accounts.ts'
import { type Home, openHome } from '../../../../src/app/home.ts'

const root = mkdtempSync(join(tmpdir(), 'dllm-accounts-'))
let home: Home
let count = 0
beforeEach(async () => {
  home = await openHome({ path: join(root, String(count++)) })
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** As a start of these miners does. */
async function begin(...names: string[]): Promise<Record<string, number>> {
  const accounts = await minerAccounts(home, names)
  await rememberAccounts(home, accounts)
  return accounts
}

test('names get accounts from the first on, and keep them whatever starts later', async () => {
  expect(await begin('a-1', 'a-2')).toEqual({ 'a-1': MINER_ACCOUNT_FIRST, 'a-2': MINER_ACCOUNT_FIRST + 1 })
  expect((await begin('b-1'))['b-1']).toBe(MINER_ACCOUNT_FIRST + 2)
  expect(await begin('b-1', 'a-2')).toEqual({ 'a-1': 100, 'a-2': 101, 'b-1': 102 })
})

test('with more names than accounts the last have none', async () => {
  const names = Array.from({ length: MINER_ACCOUNTS + 2 }, (_, index) => `m-${index}`)
  const accounts = await begin(...names)
  const found = names.flatMap((name) => accounts[name] ?? [])
  expect(found).toHaveLength(MINER_ACCOUNTS)
  expect(new Set(found).size).toBe(MINER_ACCOUNTS)
})

test('a new chain begins anew, and a damaged file is none', async () => {
  await begin('a-1', 'a-2')
  await forgetAccounts(home)
  expect(await begin('b-1')).toEqual({ 'b-1': MINER_ACCOUNT_FIRST })
  for (const damaged of ['{', '{"a-1":"x"}', 'null', '[{}]']) {
    writeFileSync(home.file('devnet', 'chain', 'miner-accounts.json'), damaged)
    expect(await minerAccounts(home, ['c-1'])).toEqual({ 'c-1': MINER_ACCOUNT_FIRST })
  }
})
