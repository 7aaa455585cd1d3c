/** The chain of a network's file: what of it is checked again when it is opened again. */
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { chainOf } from '../../../../src/app/chain/network-chain.ts'
import { type Home, openHome } from '../../../../src/app/home.ts'
import type { Network } from '../../../../src/app/networks.ts'
import { networkIdOf } from '../../../../src/core/genesis.ts'
import { formatGenesis, readGenesis } from '../../../../src/core/genesis-file.ts'
import { testGenesis } from '../../../chain-accounts.ts'

const genesis = testGenesis()
const network: Network = {
  id: 'lab',
  bootstrap: [],
  mdns: false,
  dht: false,
  genesis: JSON.parse(formatGenesis(genesis)),
}

let root: string
let home: Home
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'dllm-network-chain-'))
  home = await openHome({ path: root })
})
afterEach(() => rm(root, { recursive: true }))

function withProof(seedProof: string): unknown {
  const file = structuredClone(network.genesis) as { validators: { seedProof: string }[] }
  file.validators[0]!.seedProof = seedProof
  return file
}

test('the proofs of a genesis are checked once per data folder, and those of a changed file again', async () => {
  expect((await chainOf(home, network)).genesis).toEqual(genesis)
  expect(existsSync(home.file('proven', networkIdOf(genesis)))).toBe(true)
  const changed = { ...network, genesis: withProof('00'.repeat(96)) }
  await expect(chainOf(home, changed)).rejects.toMatchObject({ code: 'GENESIS_BAD_FIELD' })
  await expect(chainOf(home, changed)).rejects.toMatchObject({ code: 'GENESIS_BAD_FIELD' })
})

test('whether proofs are known is asked for the identity of the network that they are part of', () => {
  const asked: string[] = []
  const changed = readGenesis(withProof('00'.repeat(96)), (id) => asked.push(id) > 0)
  expect(asked).toEqual([networkIdOf(changed)])
  expect(asked).not.toContain(networkIdOf(genesis))
})
