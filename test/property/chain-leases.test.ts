/** A chain whose blocks open, pay, claim and end leases: sound after every block, the same roots when it is replayed, and an index that says what balances changed by. */
import { expect, test } from 'vitest'
import { type EarningsLine, linesOf } from '../../src/app/chain/earnings-lines.ts'
import { sumOf } from '../../src/app/chain/earnings-sums.ts'
import { viewRecord } from '../../src/app/chain/earnings-views.ts'
import type { PlacedRecord } from '../../src/app/node/market-index.ts'
import { createNodeStore, type NodeStore } from '../../src/app/node/node-store.ts'
import { type AccountId, type Hash, hash } from '../../src/base/brand.ts'
import { codeOf } from '../../src/base/error.ts'
import { decodeBlock, encodeBlock } from '../../src/core/block/block.ts'
import { type Chain, createChain, genesisStart } from '../../src/core/chain.ts'
import { addressOfAccount } from '../../src/core/fields.ts'
import { taggedHash } from '../../src/core/hash.ts'
import { type SignedVoucher, signVoucher } from '../../src/core/market/voucher.ts'
import { provePeerKey } from '../../src/core/peer-key-proof.ts'
import { getAccount, TREASURY } from '../../src/core/state/accounts.ts'
import { stateFaults } from '../../src/core/state/invariants.ts'
import { getLease, type LeaseRecord, leases } from '../../src/core/state/leases.ts'
import { getMiner } from '../../src/core/state/miners.ts'
import { createStateStore } from '../../src/core/state/state.ts'
import { type CallDraft, DLLM, type Person, signCall, testGenesis } from '../chain-accounts.ts'
import { createDice, type Dice } from '../chain-random.ts'
import { chainWorld, crowd } from '../chain-world.ts'
import { createMemoryStore } from '../sim/store.ts'

const BLOCKS = 160
const people = crowd(9)
const payers = people.slice(0, 3)
const serving = people.slice(3)
const MODEL = hash('c7'.repeat(32))
const genesis = {
  ...testGenesis({
    ...{ disputeBlocks: 3n, leaseBlocksMax: 30n, placementBlocks: 60n, priceBlocks: 4n, epochBlocks: 20n },
    ...{ unbondingBlocks: 60n, auditCommitBlocks: 2n, auditRevealBlocks: 2n },
  }),
  accounts: people.map(({ id }) => ({ id, balance: 1_000n * DLLM })).toSorted((a, b) => (a.id < b.id ? -1 : 1)),
  models: [
    {
      ...{ model: MODEL, name: 'example', context: 1_024, price: 10n },
      segments: Array.from({ length: 4 }, () => ({ linear: 2_000_000n, attention: 100n })),
    },
  ],
}

/** As in chain.test.ts: a seed that is cheap. */
const cheapSeeds = (message: Uint8Array): Uint8Array => {
  const half = taggedHash('test/seed', message)
  return Uint8Array.from([...half, ...half, ...half])
}

const fees = { maxFee: 1_000n, tip: 1n }

function submit(chain: Chain, by: Person, call: CallDraft, seen: Map<string, number>): void {
  let outcome = `accepted ${call.type}`
  try {
    const nonce = chain.mempool.nextNonce(by.id)
    chain.mempool.add(signCall(chain.networkId, by, { ...fees, ...call, nonce }))
  } catch (error) {
    outcome = codeOf(error) ?? 'thrown'
    if (outcome === 'thrown') throw error
  }
  seen.set(outcome, (seen.get(outcome) ?? 0) + 1)
}

function enrol(chain: Chain, seen: Map<string, number>): void {
  for (const miner of serving) {
    const proof = provePeerKey({ networkId: chain.networkId, operator: miner.id }, miner.consensus)
    submit(chain, miner, { type: 10, body: { payout: miner.id, device: 'cpu', deposit: 5n * DLLM, ...proof } }, seen)
  }
}

/** A call of somebody, at what there is in the chain's state. */
function randomCall(dice: Dice, chain: Chain): readonly [Person, CallDraft] {
  const { height } = chain.head()
  const all = [...leases(chain.state)]
  const roll = dice.below(100)
  if (roll < 25 || all.length === 0) {
    const [first, end] = dice.pick([
      [0, 4],
      [0, 2],
      [2, 4],
    ] as const)
    const place = { model: MODEL, first, end, slots: 1 + dice.below(3), bid: BigInt(dice.below(4)), incarnation: 0n }
    if (roll < 12) return [dice.pick(serving), { type: 12, body: { ...place, until: height + 1 + dice.below(50) } }]
    const opening = {
      ...{ model: MODEL, voucherKey: people[0]!.consensus.publicKey, cuts: dice.pick([[], [2]]), avoid: [], rows: 100 },
      ...{ cap: BigInt(1 + dice.below(2_000_000)), priceMax: 1_000n, expiryHeight: height + 2 + dice.below(28) },
    }
    return [dice.pick(payers), { type: 13, body: opening }]
  }
  const [id, lease] = dice.pick(all)
  if (roll < 35) return [people.find((one) => one.id === lease.payer)!, { type: 14, body: { lease: id } }]
  return claimOf(dice, chain, [id, lease])
}

function claimOf(dice: Dice, chain: Chain, [id, lease]: readonly [Hash, LeaseRecord]): readonly [Person, CallDraft] {
  const lot = dice.below(lease.lots.length)
  const rows = dice.below(3_000)
  const counters = { promptRows: BigInt(rows), promptPositions: BigInt(rows * 40), decodeRows: 0n, decodePositions: 0n }
  const draft = { lease: id, seq: BigInt(dice.below(9)), counters, transcript: MODEL }
  const voucher: SignedVoucher = signVoucher(chain.networkId, draft, people[0]!.consensus.secretKey)
  const shown = dice.chance(0.8) ? { key: people[0]!.consensus.publicKey, voucher } : undefined
  const by = people.find((one) => one.id === lease.lots[lot]!.operator)!
  return [by, { type: 15, body: { lease: id, shown, lot, rows: dice.chance(0.8) ? rows : 3_000, root: MODEL } }]
}

/** What the index says of a miner, all pages of it. */
async function linesOfAccount({ market }: NodeStore, id: AccountId): Promise<EarningsLine[]> {
  const records: PlacedRecord[] = []
  let from: string | undefined
  do {
    const page = await market.records([id], { from, limit: 7 })
    records.push(...page.records)
    from = page.next
  } while (from !== undefined)
  const views = records.map((record) => viewRecord(record, 'local'))
  return linesOf(views, new Set([addressOfAccount(id, 'local')]))
}

/** What settlements of all payers gave to the treasury. */
async function treasuryShares({ market }: NodeStore): Promise<bigint> {
  const { records } = await market.records(
    payers.map(({ id }) => id),
    { limit: 10_000 },
  )
  return records.reduce((sum, { event }) => sum + (event.type === 'settled' ? event.treasury : 0n), 0n)
}

test(`${BLOCKS} blocks of leases keep every invariant, and replay to the same roots`, async () => {
  const dice = createDice(41n)
  const world = chainWorld(genesis, people, { seedSigner: cheapSeeds })
  const { chain } = world
  const replayed = createChain(genesisStart(genesis), {})
  const whole = createStateStore(genesisStart(genesis).entries)
  const seen = new Map<string, number>()
  const ever = new Set<Hash>()
  const statuses = new Set<string>()
  const store = createNodeStore(createMemoryStore())
  await store.begin(chain.networkId, chain.head().hash, [], [])
  const paidFees = new Map<AccountId, bigint>()
  enrol(chain, seen)
  for (let height = 1; height <= BLOCKS; height++) {
    for (let count = dice.below(7); height > 1 && count > 0; count--) {
      const [by, call] = randomCall(dice, chain)
      submit(chain, by, call, seen)
    }
    const block = world.propose()
    const commit = world.commit(block)
    chain.apply(block, commit)
    const applied = chain.lastApplied()!
    whole.merge(applied.stateChanges)
    await store.save({ ...applied, block: encodeBlock(block), timeMs: block.header.timeMs })
    for (const { fee, accounts } of applied.transactions)
      paidFees.set(accounts[0]!, (paidFees.get(accounts[0]!) ?? 0n) + fee)
    expect(stateFaults(whole)).toEqual([])
    replayed.applyFinalized(decodeBlock(encodeBlock(block)), commit)
    expect(replayed.head()).toEqual(chain.head())
    for (const [id, { status }] of leases(whole)) {
      ever.add(id)
      statuses.add(status)
    }
  }
  const settled = [...ever].filter((id) => getLease(whole, id) === undefined)
  expect(settled.length).toBeGreaterThan(10)
  expect([...statuses].toSorted()).toEqual(['auditing', 'closing', 'open'])
  for (const type of [10, 12, 13, 14, 15]) expect(seen.get(`accepted ${type}`) ?? 0, `type ${type}`).toBeGreaterThan(5)
  // Somebody earned something.
  expect(serving.some(({ id }) => getAccount(whole, id).balance > 994n * DLLM)).toBe(true)
  for (const id of settled) expect((await store.market.settlement(id))?.event).toMatchObject({ lease: id })
  for (const { id } of serving) {
    const { earned, lost } = sumOf(await linesOfAccount(store, id))
    expect(getMiner(whole, id)!.deposit).toBe(5n * DLLM - BigInt(lost))
    const spent = 5n * DLLM + (paidFees.get(id) ?? 0n)
    expect(getAccount(whole, id).balance).toBe(1_000n * DLLM - spent + BigInt(earned))
  }
  expect(getAccount(whole, TREASURY).balance).toBe(await treasuryShares(store))
})
