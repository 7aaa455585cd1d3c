/** What people are told of the market: whole addresses and hashes, 80 columns, at the largest numbers there can be. */
import { expect, test } from 'vitest'
import type {
  LeaseView,
  LotView,
  MinerView,
  ModelView,
  PlacementView,
  QuoteView,
} from '../../../../src/app/chain/market-access.ts'
import {
  leasesText,
  leaseText,
  minersText,
  minerText,
  modelsText,
  modelText,
  quoteText,
} from '../../../../src/app/chain/market-text.ts'
import { accountId, hash } from '../../../../src/base/brand.ts'
import { addressOfAccount } from '../../../../src/core/fields.ts'

const ALL = String(2n ** 64n - 1n)
const HEIGHT = 281_474_976_710_656
const anna = addressOfAccount(accountId('11'.repeat(20)), 'testnet')
const bert = addressOfAccount(accountId('22'.repeat(20)), 'testnet')
const id = hash('ab'.repeat(32))

const model: ModelView = {
  ...{ model: id, name: 'n'.repeat(64), publisher: anna, deposit: ALL, context: 2 ** 32 - 1, status: 'approved' },
  ...{ registeredHeight: HEIGHT, predecessor: id, successor: id, canary: { root: id, bytes: 2 ** 28 } },
  ...{ dueHeight: HEIGHT, tries: 432 },
  ...{ price: ALL, segments: [{ linear: ALL, attention: ALL }] },
}
const placement: PlacementView = {
  ...{ model: id, operator: anna, first: 10, end: 64, slots: 65_535, used: 65_535, bid: ALL, until: HEIGHT },
  ...{ live: false, deposit: ALL },
}
const miner: MinerView = {
  ...{ address: anna, payout: bert, peerKey: 'cd'.repeat(32), device: 'gpu', status: 'slashed-out', deposit: ALL },
  ...{ locked: ALL, openLots: 2 ** 32 - 1, registeredHeight: HEIGHT, workRate: ALL, reliability: 1 },
  ...{ auditedReceipts: 2 ** 32 - 1, workValue: ALL },
}
const lot: LotView = {
  ...{ operator: anna, standby: bert, peerKey: 'cd'.repeat(32), first: 0, end: 64, rate: ALL, task: ALL },
  ...{ work: { linear: ALL, attention: ALL }, rows: 2 ** 32 - 1, root: id, state: 'claimed' },
}
const lease: LeaseView = {
  ...{ id, payer: bert, model: id, status: 'open', voucherKey: 'ef'.repeat(32), cap: ALL, escrow: ALL, charge: ALL },
  terms: { price: ALL, decodeWeight: '4', treasuryShare: '100', stakerShare: '70', receiptRows: '256' },
  ...{ openedHeight: HEIGHT - 100, expiryHeight: HEIGHT, dueHeight: HEIGHT, seq: ALL, openAudits: 0, lots: [lot] },
  counters: { promptRows: '123', promptPositions: '1', decodeRows: '45', decodePositions: '1' },
}
const quote: QuoteView = {
  ...{ height: HEIGHT, model: id, price: ALL, rows: 2 ** 32 - 1, cuts: [], units: ALL, escrow: ALL, miners: ALL },
  ...{ treasury: ALL, stakers: ALL, burnt: ALL, lots: [{ ...lot, units: ALL, pay: ALL }] },
}

const LISTING = { more: true, here: [id], whose: bert }

const everything: Record<string, string> = {
  models: modelsText([model, model]),
  model: modelText(model, [placement]) + modelText(model, []) + modelText(model, undefined),
  miners: minersText([miner, miner], true),
  miner: minerText(miner),
  leases: leasesText([lease, { ...lease, status: 'closing' }, { ...lease, status: 'auditing' }], LISTING),
  lease: leaseText(lease, HEIGHT - 1),
  closing: leaseText({ ...lease, status: 'closing', seq: '0' }, HEIGHT),
  auditing: leaseText(
    { ...lease, status: 'auditing', openAudits: 65_535, lots: [{ ...lot, state: 'faulted' }] },
    HEIGHT,
  ),
  quote: quoteText(quote),
  nothing: modelsText([]) + minersText([], false) + leasesText([], { ...LISTING, more: false }),
}

test.each(Object.entries(everything))('%s fits 80 columns, with whole addresses', (_name, text) => {
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
  for (const word of text.match(/\btdllm1\w*/g) ?? []) expect([anna, bert]).toContain(word)
  for (const word of text.match(/\b(?:ab|cd|ef)[0-9a-f]{6,}\b/g) ?? []) expect(word).toHaveLength(64)
  expect(text).not.toMatch(/undefined|NaN|\[object/)
})

test('a lease says until when it is open, what is set aside and what was claimed', () => {
  const plain: LeaseView = {
    ...{ ...lease, cap: '5000000000', escrow: '5000000000', charge: '1500000000', seq: '7', expiryHeight: 120 },
    lots: [{ ...lot, first: 0, end: 2, rate: '9', task: '20000000', rows: 1, standby: bert }],
  }
  const text = leaseText({ ...plain, terms: { ...plain.terms, price: '12' } }, 108)
  expect(text).toContain('Status       open until block 120 (in 12 blocks)\n')
  expect(text).toContain('Price        12 grains per CU\n')
  expect(text).toContain('Set aside    5 DLLM\n')
  expect(text).toContain('Claimed      1.5 DLLM\n             voucher 7: 123 rows of prompts, 45 decoded\n')
  expect(text).toContain(`Lot 1, segments 1 to 2\n  9 grains per CU\n  claimed, 1 row\n  miner    ${anna}\n`)
  expect(text).toContain(`  standby  ${bert}\n  deposit  0.02 DLLM of it stand behind the lot\n`)
})
