/** Which addresses a network has. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { addressKindOf } from '../../../../src/app/chain/address-kind.ts'
import { type Home, openHome } from '../../../../src/app/home.ts'

const root = mkdtempSync(join(tmpdir(), 'dllm-kind-'))
let home: Home

beforeAll(async () => {
  home = await openHome({ path: join(root, 'home') })
  mkdirSync(home.file('networks'))
  const write = (id: string, more: object) =>
    writeFileSync(home.file('networks', `${id}.json`), JSON.stringify({ id, ...more }))
  write('lab', { genesis: { kind: 'testnet' } })
  write('mainnet', { genesis: { kind: 'mainnet' } })
  write('miners', {})
  write('odd', { genesis: { kind: 'moon' } })
})
afterAll(() => rmSync(root, { recursive: true }))

test.each([
  ['lab', 'testnet', 'its genesis'],
  ['mainnet', 'mainnet', 'its genesis'],
  ['testnet', 'testnet', 'its name, without a file'],
  ['local', 'local', 'its name'],
  ['miners', 'local', 'having no chain'],
  ['odd', 'local', 'a genesis that opening the chain will refuse'],
])('%s has %s addresses, by %s', async (name, kind) => {
  expect(await addressKindOf(home, name)).toBe(kind)
})

test('a network that nobody knows is refused', async () => {
  await expect(addressKindOf(home, 'moon')).rejects.toMatchObject({ code: 'NETWORK_UNKNOWN' })
})
