/**
 * People who use the network, by seed: money moves, is bonded and unbonded, parameters are voted on, somebody registers, and a good
 * part of all calls is wrong in some way.
 * @module
 */
import type { FullNode } from '../../src/app/node/node.ts'
import type { AccountId } from '../../src/base/brand.ts'
import { ZERO_HASH } from '../../src/core/fields.ts'
import { PARAMETER_NAMES, type ParameterName } from '../../src/core/parameters.ts'
import { bonds, getBond } from '../../src/core/state/bonds.ts'
import { proposals } from '../../src/core/state/proposals.ts'
import { validators } from '../../src/core/state/validators.ts'
import { proveValidatorKeys } from '../../src/core/validator-proofs.ts'
import { type CallDraft, DLLM, type Person } from '../chain-accounts.ts'
import { type Crowd, oneOf, signedBy, spoilt, submit, type WorkloadCounts } from './crowd.ts'
import { type Chance, createChance } from './faults.ts'
import type { World } from './world.ts'

const PAUSE_MS_MAX = 800
const STAKERS = 4

/** Runs for ever. */
export function startWorkload(world: World): WorkloadCounts {
  const chance = createChance(world.scenario.seed * 16 + 2)
  const counts: WorkloadCounts = { taken: 0, refused: new Map() }
  const next = (): void => {
    const nodes = world.machines.flatMap(({ process }) => process?.node ?? [])
    if (nodes.length > 0 && chance.pick(8) === 0) campaign({ world, chance, counts }, oneOf(chance, nodes))
    else if (nodes.length > 0) callOnce({ world, chance, counts }, oneOf(chance, nodes))
    world.timeline.schedule(chance.pick(PAUSE_MS_MAX), next)
  }
  world.timeline.schedule(PAUSE_MS_MAX, next)
  return counts
}

function callOnce(crowd: Crowd, node: FullNode): void {
  const { world, chance } = crowd
  const sender = oneOf(chance, world.scenario.people)
  submit(crowd, node, spoilt(chance, signedCall(world, chance, { node, sender })))
}

/** Those with much stake agree on a proposal: without them none is accepted. */
function campaign(crowd: Crowd, node: FullNode): void {
  const { people, network } = crowd.world.scenario
  const proposal = openProposal(crowd.chance, node)
  for (const sender of people.slice(0, STAKERS)) {
    const fees = { maxFee: 2_000n, tip: 9n, nonce: node.chain.mempool.nextNonce(sender.id) }
    const call = { networkId: network.networkId, type: 7, body: { proposal, yes: true }, ...fees }
    submit(crowd, node, signedBy(crowd.world, sender, call))
  }
}

interface Caller {
  readonly node: FullNode
  readonly sender: Person
}

function signedCall(world: World, chance: Chance, { node, sender }: Caller): Uint8Array {
  const { networkId } = world.scenario.network
  const next = node.chain.mempool.nextNonce(sender.id)
  const nonce = chance.pick(12) === 0 ? next + BigInt(chance.pick(5)) : next
  const maxFee = chance.pick(15) === 0 ? 0n : BigInt(20 + chance.pick(2_000))
  const isForeign = chance.pick(40) === 0
  const call = drawCall(world, chance, { node, sender })
  const fees = { nonce, maxFee, tip: BigInt(chance.pick(20)) }
  return signedBy(world, sender, { networkId: isForeign ? ZERO_HASH : networkId, ...call, ...fees })
}

function drawCall(world: World, chance: Chance, caller: Caller): CallDraft {
  const roll = chance.pick(100)
  const amount = BigInt(chance.pick(3)) * DLLM + BigInt(chance.pick(1_000))
  if (roll < 30) return transfer(world, chance, amount)
  if (roll < 48) return { type: 2, body: { validator: trusted(world, chance, caller), amount } }
  if (roll < 62) return unbond(world, chance, { ...caller, amount })
  if (roll < 65 && world.scenario.registers) return registration(world)
  if (roll < 73) return { type: 6, body: { changes: [drawChange(chance)] } }
  return { type: 7, body: { proposal: openProposal(chance, caller.node), yes: chance.pick(8) > 0 } }
}

function transfer({ scenario }: World, chance: Chance, amount: bigint): CallDraft {
  const sum = chance.pick(20) === 0 ? amount + 1_000_000n * DLLM : amount
  return {
    type: 1,
    body: { to: oneOf(chance, scenario.people).id, amount: sum, memo: new Uint8Array(chance.pick(40)) },
  }
}

/** Nobody bonds to a validator that is not well, so that it stays below a third of the stake. */
function trusted({ scenario }: World, chance: Chance, { node }: Caller): AccountId {
  const ids = [...validators(node.chain.state)].map(([id]) => id).filter((id) => !scenario.ill.has(id))
  return oneOf(chance, ids)
}

/** One that can be voted on, if there is any. */
function openProposal(chance: Chance, node: FullNode): number {
  const numbers = [...proposals(node.chain.state)].map(({ number }) => number)
  return numbers.length === 0 ? chance.pick(6) : oneOf(chance, numbers)
}

/** Little at a time: the stakes of genesis stay about what they were. */
function unbond(world: World, chance: Chance, { sender, amount, ...rest }: Caller & { amount: bigint }): CallDraft {
  const own = [...bonds(rest.node.chain.state)].filter(({ owner }) => owner === sender.id)
  const caller = { ...rest, sender }
  const validator = own.length > 0 ? oneOf(chance, own).validator : trusted(world, chance, caller)
  const bonded = getBond(rest.node.chain.state, { validator, owner: sender.id })
  const isAll = chance.pick(2) === 0 && bonded < 20n * DLLM
  return { type: 3, body: { validator, amount: isAll ? bonded : amount } }
}

function registration({ scenario }: World): CallDraft {
  const { candidate, network } = scenario
  const subject = { networkId: network.networkId, owner: candidate.id }
  return { type: 4, body: { name: 'late', ...proofsOf(subject.owner, subject.networkId, candidate) } }
}

const proofs = new Map<string, ReturnType<typeof proveValidatorKeys>>()

/** Curves are slow. */
function proofsOf(
  owner: AccountId,
  networkId: typeof ZERO_HASH,
  { consensus, seedSecret }: Person,
): ReturnType<typeof proveValidatorKeys> {
  const known = proofs.get(networkId) ?? proveValidatorKeys({ networkId, owner }, consensus, seedSecret)
  proofs.set(networkId, known)
  return known
}

/** What may be voted on, from and to: values with which the network still does many blocks a minute and stays as honest as it was. */
const RANGES: Readonly<Partial<Record<ParameterName, readonly [number, number]>>> = {
  unbondingBlocks: [15, 30],
  validatorsMax: [4, 7],
  bondMin: [Number(DLLM) / 1_000, 3 * Number(DLLM)],
  issuancePerBlock: [0, 5 * Number(DLLM)],
  stakeShare: [0, 1_000],
  baseFeeMin: [1, 20],
  doubleSignSlash: [10, 1_000],
  proposeMs: [200, 800],
  voteMs: [80, 300],
  roundMs: [30, 200],
  commitMs: [10, 400],
  clockSkewMs: [300, 1_000],
  proposalDeposit: [Number(DLLM), 9 * Number(DLLM)],
  proposalBlocks: [5, 9],
  stakeWeight: [50, 1_000],
  treasuryShare: [90, 200],
  stakerShare: [0, 200],
  decodeWeight: [1, 8],
  priceMin: [2, 9],
  priceMax: [10, 1_000],
  priceBlocks: [1, 4],
  priceDivisor: [4, 16],
  modelDeposit: [0, 9 * Number(DLLM)],
  minerDepositMin: [Number(DLLM) / 10, 2 * Number(DLLM)],
  placementBlocks: [8, 40],
  leaseBlocksMax: [4, 20],
  disputeBlocks: [2, 4],
  receiptRows: [16, 64],
  collateralMultiple: [5, 60],
  auditShare: [500, 1_000],
  auditShareNew: [500, 1_000],
  auditors: [2, 5],
  auditorsMin: [1, 3],
  auditCommitBlocks: [2, 4],
  auditRevealBlocks: [2, 4],
  auditFee: [0, 30],
  auditorStake: [Number(DLLM) / 100, Number(DLLM)],
  workSubsidy: [0, 60],
  depositPerPower: [1, 100],
  latencyWeight: [0, 300],
  rateFloor: [1, 2 ** 40],
  auctionPairs: [0, 1],
  payFloor: [0, 800],
  readyOwners: [1, 4],
  canaryFailures: [100, 1_000],
  activationNotice: [1, 4],
  activationRetryBlocks: [1, 4],
  activationTries: [1, 6],
  rollbackBlocks: [12, 40],
}

function drawChange(chance: Chance): { readonly name: ParameterName; readonly value: bigint } {
  const name = oneOf(chance, PARAMETER_NAMES)
  const [from, to] = RANGES[name] ?? [0, 0]
  return { name, value: BigInt(from + chance.pick(to - from + 1)) }
}
