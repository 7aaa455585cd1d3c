/**
 * A network of validators in virtual time: whole nodes of the simulator, every message so and so late, and no misfortunes. Work
 * takes no time there, so what is seen is what the rules and the distance take.
 * @module
 */
import type { ValidatorKeys } from '../../src/app/node/validator-keys.ts'
import { milliseconds, peerId } from '../../src/base/brand.ts'
import { blsPublicKey } from '../../src/core/bls.ts'
import { type Genesis, networkIdOf } from '../../src/core/genesis.ts'
import { INITIAL_PARAMETERS } from '../../src/core/parameters.ts'
import { createMemoryNetwork } from '../../src/net/memory-network.ts'
import { DLLM, genesisValidator, type Person, person } from '../../test/chain-accounts.ts'
import { createWitness } from '../../test/sim/invariants.ts'
import { createMachine, type Surroundings, startMachine } from '../../test/sim/machine.ts'
import type { MachinePlan, Scenario } from '../../test/sim/scenario.ts'
import { createSignatures } from '../../test/sim/signatures.ts'
import { createMachineClock, createTimeline, EPOCH_MS, settle } from '../../test/sim/timeline.ts'
import { createTrace } from '../../test/sim/trace.ts'

/** What a block took, in virtual milliseconds. */
export interface VirtualBlock {
  /** From the time in its header to the moment at which a node had it as final, of all nodes in order. */
  readonly finalMs: readonly number[]
  /** Since the block before it, by the times in the headers. */
  readonly intervalMs: number
}

const BOND = 100n * DLLM
const MINUTE_MS = 60_000
const SEED = 1
const CLOCK = { offsetMs: 0, driftPpm: 0 }

/** Blocks of `validators` nodes with a new network's parameters, after `skipped` first ones. */
export async function virtualBlocks(options: {
  readonly validators: number
  readonly oneWayMs: number
  readonly skipped: number
  readonly count: number
}): Promise<readonly VirtualBlock[]> {
  const scenario = scenarioFor(options.validators)
  const timeline = createTimeline()
  const log = { write: () => undefined }
  const delayMs = { least: options.oneWayMs, most: options.oneWayMs }
  const network = createMemoryNetwork(
    { clock: createMachineClock(timeline, CLOCK), log },
    { delayMs, newsLoss: 0, newsDuplication: 0, channelCut: 0, seed: BigInt(SEED) },
  )
  const seen = new Map<number, { readonly timeMs: number; readonly finalMs: number[] }>()
  const world: Surroundings = {
    ...{ scenario, timeline, network, overheard: [], spoil: (storage) => storage },
    witness: createWitness(new Set()),
    trace: createTrace(timeline.nowMs),
    signatures: createSignatures(scenario.machines.flatMap(({ keys }) => keys?.consensus ?? [])),
    onFinal: ({ process }) => {
      const chain = process?.node?.chain
      if (chain === undefined || chain.header.height === 0) return
      const { height, timeMs } = chain.header
      const block = seen.get(height) ?? { timeMs: timeMs - EPOCH_MS, finalMs: [] }
      seen.set(height, block)
      block.finalMs.push(timeline.nowMs() - block.timeMs)
      world.witness.votes(height + 1, chain.head().validators)
    },
  }
  const machines = scenario.machines.map((plan) => createMachine(plan, timeline))
  for (const machine of machines) timeline.schedule(0, () => startMachine(machine, world))
  const last = options.skipped + options.count
  while ((seen.get(last)?.finalMs.length ?? 0) < machines.length) {
    timeline.step(Number.POSITIVE_INFINITY)
    await settle()
  }
  for (const { process } of machines) process?.clock.stop()
  return Array.from({ length: options.count }, (_, index) => {
    const height = options.skipped + 1 + index
    const { timeMs, finalMs } = seen.get(height)!
    return { finalMs: finalMs.toSorted((a, b) => a - b), intervalMs: timeMs - seen.get(height - 1)!.timeMs }
  })
}

function scenarioFor(validators: number): Scenario {
  const people = Array.from({ length: validators }, (_, index) => person(index + 1))
  const genesis: Genesis = {
    ...{ name: 'virtual', kind: 'local', parameters: INITIAL_PARAMETERS },
    timeMs: milliseconds(EPOCH_MS - MINUTE_MS),
    models: [],
    accounts: people.map(({ id }) => ({ id, balance: DLLM })).toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    validators: people
      .map((owner, index) => genesisValidator(owner, `v${index + 1}`, BOND))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1)),
  }
  return {
    ...{ seed: SEED, people: [], candidate: people[0]!, registers: false, ill: new Set(), twinKeys: new Set() },
    traders: { miners: [], payers: [] },
    network: {
      ...{ genesis, networkId: networkIdOf(genesis) },
      network: { id: genesis.name, bootstrap: [], mdns: false, dht: false },
    },
    machines: people.map(planFor),
  }
}

function planFor(owner: Person, index: number): MachinePlan {
  const name = `v${index + 1}`
  const { consensus, seedSecret } = owner
  const keys: ValidatorKeys = { consensus, seedSecret, seedKey: blsPublicKey(seedSecret) }
  return {
    ...{ name, owner, keys, peer: peerId(`peer-${name}`), isTwin: false, clock: CLOCK },
    ...{ storageSeed: index * 10, latencyMsMax: 0, startsAtMs: 0, stepsPerTurn: undefined },
  }
}
