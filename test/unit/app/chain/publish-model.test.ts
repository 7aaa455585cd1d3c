import { expect, test } from 'vitest'
import type { ChainAccess } from '../../../../src/app/chain/chain-access.ts'
import { preparePublication } from '../../../../src/app/chain/publish-model.ts'
import type { Home } from '../../../../src/app/home.ts'
import { createSystem } from '../../../../src/app/system.ts'

test('a version that is called as its predecessor is not published: miners could not keep both', async () => {
  const order = { name: 'genesis', supersedes: 'ab'.repeat(32), price: undefined, canary: false, threads: 1 }
  const ports = { home: { path: '/nowhere' } as Home, system: createSystem(), signal: new AbortController().signal }
  const publication = preparePublication({ ...order, note: () => undefined }, ports)
  const chain = {
    parameters: async () => ({ values: {} }),
    market: { model: async () => ({ name: 'genesis' }) },
  } as unknown as ChainAccess
  await expect(publication(chain)).rejects.toThrow('Import it under another name')
})
