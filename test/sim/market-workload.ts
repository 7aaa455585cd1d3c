/**
 * A market in the simulated network, by seed: models, miners, leases, claims and audits, done by people who do not know which of their
 * calls were lost, and who do a good part of them wrongly.
 * @module
 */
import type { FullNode } from '../../src/app/node/node.ts'
import { hash } from '../../src/base/brand.ts'
import { TREASURY } from '../../src/core/state/accounts.ts'
import { type LeaseRecord, leases } from '../../src/core/state/leases.ts'
import { miners } from '../../src/core/state/miners.ts'
import { models } from '../../src/core/state/models.ts'
import { DLLM, type Person } from '../chain-accounts.ts'
import { type Crowd, oneOf, signedBy, spoilt, submit, type WorkloadCounts } from './crowd.ts'
import { createChance } from './faults.ts'
import { type Duty, dutiesOf, type Watch } from './market-duties.ts'
import { leasable, versionDuties, versionWish } from './market-versions.ts'
import { MODELS, peerClaim } from './traders.ts'
import type { World } from './world.ts'

/** Longest pause between two turns, by seed; undefined: nobody trades. */
const PAUSES_MS_MAX = [undefined, 700, 300, 300]
/** Who is not heard for so long tries again. */
const PATIENCE_MS = 1_500
const FIRST_MS = 300
const DUTIES_PER_TURN = 5
/** Open ones of a payer, so that miners have slots. */
const LEASES_MAX = 2

type Wish = Omit<Duty, 'name'>

/** Runs for ever. */
export function startMarket(world: World): WorkloadCounts {
  const crowd: Crowd = {
    world,
    chance: createChance(world.scenario.seed * 16 + 3),
    counts: { taken: 0, refused: new Map() },
  }
  const pauseMsMax = PAUSES_MS_MAX[world.scenario.seed % PAUSES_MS_MAX.length]
  const asked = new Map<string, number>()
  const next = (): void => {
    const nodes = world.machines.flatMap(({ process }) => process?.node ?? [])
    if (nodes.length > 0) act(crowd, oneOf(crowd.chance, nodes), asked)
    if (pauseMsMax !== undefined) world.timeline.schedule(crowd.chance.pick(pauseMsMax), next)
  }
  if (pauseMsMax !== undefined) world.timeline.schedule(FIRST_MS, next)
  return crowd.counts
}

/** Duties that nobody has tried lately, and now and then something of one's own will. */
function act(crowd: Crowd, node: FullNode, asked: Map<string, number>): void {
  const { world, chance } = crowd
  const { scenario, signatures, timeline } = world
  const watch: Watch = { chain: node.chain, traders: scenario.traders, sign: signatures.signAs }
  const now = timeline.nowMs()
  const due = [...dutiesOf(watch), ...versionDuties(watch)].filter(
    ({ name }) => (asked.get(name) ?? Number.NEGATIVE_INFINITY) + PATIENCE_MS < now,
  )
  for (let count = 0; count < DUTIES_PER_TURN && due.length > 0; count++) {
    const [duty] = due.splice(chance.pick(due.length), 1) as [Duty]
    asked.set(duty.name, now)
    if (chance.pick(12) > 0) send(crowd, node, meddled(crowd, duty))
  }
  const wish = chance.pick(2) === 0 ? drawWish(crowd, watch) : undefined
  if (wish !== undefined) send(crowd, node, wish)
}

/** Somebody does the duty of another. */
function meddled({ world, chance }: Crowd, duty: Duty): Wish {
  const { miners: all, payers } = world.scenario.traders
  if (chance.pick(25) > 0) return duty
  return { ...duty, by: oneOf(chance, [...all.map(({ person }) => person), ...payers]) }
}

function send(crowd: Crowd, node: FullNode, { by, type, body }: Wish): void {
  const { world, chance } = crowd
  const { networkId } = world.scenario.network
  const fees = { nonce: node.chain.mempool.nextNonce(by.id), maxFee: BigInt(500 + chance.pick(2_000)) }
  const bytes = signedBy(world, by, { networkId, type, body, ...fees, tip: BigInt(chance.pick(20)) })
  submit(crowd, node, chance.pick(6) === 0 ? spoilt(chance, bytes) : bytes)
}

function drawWish(crowd: Crowd, watch: Watch): Wish | undefined {
  const { chance } = crowd
  const roll = chance.pick(100)
  if (roll < 50) return opening(crowd, watch)
  if (roll < 65) return closing(crowd, watch)
  if (roll < 75) return falseClaim(crowd, watch)
  if (roll < 88) return supply(crowd, watch)
  return roll < 95 ? versionWish(crowd, watch) : modelCall(crowd, watch)
}

function opening({ world, chance }: Crowd, { chain }: Watch): Wish | undefined {
  const { traders } = world.scenario
  const by = oneOf(chance, traders.payers)
  const open = [...leases(chain.state)].filter(([, { payer, status }]) => payer === by.id && status === 'open')
  if (open.length >= LEASES_MAX && chance.pick(10) > 0) return undefined
  const { model, segments } = oneOf(chance, leasable({ chain }))
  const avoid = traders.miners.filter(() => chance.pick(8) === 0).map(({ person }) => person.id)
  const half = segments.length / 2
  const body = {
    ...{
      model,
      voucherKey: by.consensus.publicKey,
      cuts: chance.pick(12) === 0 ? [half, half] : oneOf(chance, [[], [half]]),
    },
    ...{ avoid: chance.pick(30) === 0 ? avoid : avoid.sort(), rows: 1 + chance.pick(40) },
    ...{ cap: oneOf(chance, [1_000n, DLLM, 5n * DLLM, 5n * DLLM, 500n * DLLM]), priceMax: BigInt(9 + chance.pick(40)) },
    expiryHeight: chain.header.height + 1 + chance.pick(oneOf(chance, [5, 5, 13])),
  }
  return { by, type: 13, body }
}

function closing({ world, chance }: Crowd, { chain }: Watch): Wish | undefined {
  const lease = drawLease({ world, chance }, { chain })
  if (lease === undefined) return undefined
  const [id, { payer }] = lease
  const { payers } = world.scenario.traders
  const own = payers.find((one) => one.id === payer)
  return { by: chance.pick(6) === 0 || own === undefined ? oneOf(chance, payers) : own, type: 14, body: { lease: id } }
}

/** More rows than were paid for, another lot, or an older claim than there is. */
function falseClaim({ world, chance }: Crowd, { chain }: Watch): Wish | undefined {
  const lease = drawLease({ world, chance }, { chain })
  if (lease === undefined) return undefined
  const [id, { lots }] = lease
  const lot = chance.pick(lots.length + 1)
  const by = world.scenario.traders.miners.find(({ person }) => person.id === lots[lot]?.operator)
  const root = hash('0c'.repeat(32))
  const body = { lease: id, shown: undefined, lot, rows: chance.pick(60), root }
  return { by: (by ?? oneOf(chance, world.scenario.traders.miners)).person, type: 15, body }
}

function drawLease(
  { chance }: Pick<Crowd, 'world' | 'chance'>,
  { chain }: Pick<Watch, 'chain'>,
): readonly [ReturnType<typeof hash>, LeaseRecord] | undefined {
  const all = [...leases(chain.state)]
  return all.length === 0 ? undefined : oneOf(chance, all)
}

/** Deposits come and go, placements end, and who left comes back. */
function supply({ world, chance }: Crowd, { chain }: Watch): Wish {
  const { traders, network } = world.scenario
  const miner = oneOf(chance, traders.miners)
  const by: Person = miner.person
  const roll = chance.pick(3)
  if (roll === 0) {
    const record = [...miners(chain.state)].find(([operator]) => operator === by.id)?.[1]
    const all = (record?.deposit ?? DLLM) - (record?.locked ?? 0n)
    return { by, type: 11, body: { amount: chance.pick(3) === 0 ? all : BigInt(1 + chance.pick(Number(DLLM))) } }
  }
  if (roll === 1) {
    const none = { first: 0, end: 0, slots: 0, bid: 0n, until: 0, incarnation: 0n }
    return { by, type: 12, body: { model: oneOf(chance, MODELS).model, ...none } }
  }
  const deposit = BigInt(chance.pick(3)) * DLLM
  const body = { payout: miner.payout, device: 'gpu', deposit, ...peerClaim(network.networkId, miner) }
  return { by, type: 10, body }
}

function modelCall({ world, chance }: Crowd, { chain }: Watch): Wish {
  const { payers } = world.scenario.traders
  const by = oneOf(chance, payers)
  if (chance.pick(2) === 0) {
    const all = [...models(chain.state)]
    // Those of the genesis nobody can retire.
    const late = all.filter(([, { publisher }]) => publisher !== TREASURY)
    const [model, { publisher }] = oneOf(chance, late.length === 0 || chance.pick(4) === 0 ? all : late)
    const own = payers.find(({ id }) => id === publisher)
    return { by: chance.pick(6) === 0 || own === undefined ? by : own, type: 9, body: { model } }
  }
  const [{ model: _model, ...claim }] = MODELS as [(typeof MODELS)[0]]
  const model = hash(`0${chance.pick(3)}`.repeat(32))
  return { by, type: 8, body: { ...claim, name: chance.pick(8) === 0 ? '' : 'late', model } }
}
