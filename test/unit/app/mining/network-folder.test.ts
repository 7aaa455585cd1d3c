/** What a miner keeps of one network is nowhere near what it keeps of another. */
import { expect, test } from 'vitest'
import { lotsFolder, verdictsFolder } from '../../../../src/app/mining/network-folder.ts'
import { hash } from '../../../../src/base/brand.ts'

test('journals and verdicts stand in a folder per network', () => {
  const networks = ['01', '02'].map((byte) => hash(byte.repeat(32)))
  const folders = networks.flatMap((network) => [lotsFolder('/miner', network), verdictsFolder('/miner', network)])
  expect(new Set(folders).size).toBe(4)
  expect(folders[0]).toBe('/miner/lots/0101010101010101')
})
