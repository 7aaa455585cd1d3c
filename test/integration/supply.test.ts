/**
 * Supply as somebody outside sees it: over 1,000 blocks of random transactions, at every height, everything that anybody holds
 * by the node's control server is what genesis, issuance and burning say.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type ChainMethods, chainMethods } from '../../src/app/chain/chain-methods.ts'
import { type ConnectedNode, connectToNode } from '../../src/app/control/connect.ts'
import { createControlServer } from '../../src/app/control/control-server.ts'
import type { FullNode } from '../../src/app/node/node.ts'
import type { KeyValueStore } from '../../src/app/store/key-value.ts'
import { hash, milliseconds } from '../../src/base/brand.ts'
import { HouseError } from '../../src/base/error.ts'
import { type Ballot, ballotDigest } from '../../src/core/consensus/messages.ts'
import { sign } from '../../src/core/ed25519.ts'
import type { Genesis } from '../../src/core/genesis.ts'
import { INITIAL_PARAMETERS, type ParameterName } from '../../src/core/parameters.ts'
import { getSupply } from '../../src/core/state/supply.ts'
import type { ProposeParameters } from '../../src/core/transaction/propose-parameters.ts'
import { createMemoryNetwork } from '../../src/net/memory-network.ts'
import { type CallDraft, DLLM, genesisValidator, type Person, person, signCall } from '../chain-accounts.ts'
import { createDice, type Dice, randomCall } from '../chain-random.ts'
import { allHoldings, expectedOf, sumOf } from '../cli/chain-lab.ts'
import { createSimDisk } from '../sim/disk.ts'
import { createMemoryStore } from '../sim/store.ts'
import { networkOf, QUICK_SEEDS, SYSTEM, startMemoryNode, validatorKeys } from './node-world.ts'

const BLOCKS = 1_000
const SEED = 7n
const BLOCKS_AHEAD = 32
/** Votes alone; its stake is so great that the chain goes on whatever the others do with theirs. */
const voter = person(1)
/** Is in the set and never there, until it is found to have signed twice. */
const absent = person(2)
const people = [3, 4, 5, 6, 7, 8].map(person)
const CONVICTED_AT = 25

const byId = <Entry extends { readonly id: string }>(entries: Entry[]): Entry[] =>
  entries.toSorted((a, b) => (a.id < b.id ? -1 : 1))

const genesis: Genesis = {
  ...{ name: 'supply', kind: 'local', timeMs: milliseconds(1_700_000_000_000) },
  parameters: {
    ...INITIAL_PARAMETERS,
    baseFeeMin: 1n,
    ...{ epochBlocks: 10n, unbondingBlocks: 30n, proposalBlocks: 5n, proposalDeposit: 5n * DLLM },
    ...{ proposeMs: 50n, voteMs: 20n, roundMs: 10n, commitMs: 10n },
  },
  accounts: byId([voter, ...people].map(({ id }) => ({ id, balance: 1_000n * DLLM }))),
  validators: byId([
    genesisValidator(voter, 'voter', 1_000_000n * DLLM),
    genesisValidator(absent, 'absent', 100n * DLLM),
  ]),
  models: [],
}

test(`at each of ${BLOCKS} heights everything held is genesis + issued − burnt`, async () => {
  const gate = createGate()
  const { node, client } = await startNode(gate)
  const dice = createDice(SEED)
  const kinds = new Set<string>()
  const accepted = new Map<number, number>()
  let checked = 0
  const leave = new AbortController()
  for await (const head of client.stream('dllm_watchHeads', {}, leave.signal)) {
    for (; checked < head.height && checked < BLOCKS; checked++) {
      const holdings = await allHoldings(client, checked + 1)
      expect({ height: checked + 1, sum: sumOf(holdings) }).toEqual({ height: checked + 1, sum: expectedOf(holdings) })
      for (const { kind } of holdings.holdings) kinds.add(kind)
      gate.open(checked + 1 + BLOCKS_AHEAD)
    }
    if (checked === BLOCKS) break
    for (const { type, bytes } of transactions(dice, node, head.height)) {
      if (await submit(client, bytes)) accepted.set(type, (accepted.get(type) ?? 0) + 1)
    }
  }
  const supply = (await client.call('dllm_head', {})).supply
  // Otherwise the run would show little.
  expect([...kinds].sort()).toEqual(['balance', 'bond', 'deposit', 'reward-pool', 'unbonding'])
  expect([1, 2, 3, 5, 6, 7].map((type) => (accepted.get(type) ?? 0) > 0)).toEqual(Array(6).fill(true))
  const { values } = await client.call('dllm_parameters', {})
  expect(values).not.toEqual(
    Object.fromEntries(Object.entries(genesis.parameters).map(([name, value]) => [name, String(value)])),
  )
  expect([BigInt(supply.issued) > 0n, BigInt(supply.burnt) > 5n * DLLM]).toEqual([true, true])
})

interface Gate {
  /** Blocks up to this height may be stored. */
  open(height: number): void
  pass(): Promise<void>
}

/** Keeps the node from running away from who reads its states: it keeps the latest 64. */
function createGate(): Gate {
  let passed = 0
  let allowed = BLOCKS_AHEAD
  let wake = (): void => undefined
  return {
    open(height) {
      allowed = Math.max(allowed, height)
      wake()
    },
    async pass() {
      passed++
      while (passed > allowed) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
  }
}

async function startNode(gate: Gate): Promise<{ node: FullNode; client: ConnectedNode<ChainMethods> }> {
  const folder = await mkdtemp(join(tmpdir(), 'dllm-supply-'))
  const memory = createMemoryStore()
  const store: KeyValueStore = {
    ...memory,
    async batch(operations, options) {
      await gate.pass()
      await memory.batch(operations, options)
    },
  }
  const wire = createMemoryNetwork().createMemoryWire({ listen: true })
  const node = await startMemoryNode({
    ...{ genesis, keys: validatorKeys(voter), isNewKey: true, wire },
    ...{ store, disk: createSimDisk(1).open(), seedScheme: QUICK_SEEDS },
  })
  const { networkId } = networkOf(genesis)
  const server = createControlServer<ChainMethods>(
    { folder, network: networkId, methods: chainMethods(node.access) },
    SYSTEM,
  )
  await server.start()
  const client = await connectToNode<ChainMethods>(folder)
  onTestFinished(async () => {
    gate.open(Number.MAX_SAFE_INTEGER)
    client.close()
    await server.stop()
    await node.stop()
    await wire.stop()
    await rm(folder, { recursive: true })
  })
  return { node, client }
}

function transactions(dice: Dice, node: FullNode, height: number): { type: number; bytes: Uint8Array }[] {
  const { chain } = node
  const send = (sender: Person, call: CallDraft): { type: number; bytes: Uint8Array } => ({
    type: call.type,
    bytes: signCall(chain.networkId, sender, { ...call, nonce: chain.mempool.nextNonce(sender.id) }),
  })
  if (height === CONVICTED_AT) return [send(people[0]!, { type: 5, body: twoVotes(node), maxFee: 1_000n })]
  const { proposalsMade } = getSupply(chain.state)
  // Nobody else has the stake to carry a proposal.
  const carried = proposalsMade > 0 && dice.chance(0.3) ? [{ proposal: proposalsMade - 1, yes: dice.chance(0.8) }] : []
  const votes = carried.map((body) => send(voter, { type: 7, body }))
  const calls = people
    .filter(() => dice.chance(0.5))
    .flatMap((sender) => {
      const call = keepPace(randomCall(dice, chain, sender, people))
      return call === undefined ? [] : [send(sender, call)]
    })
  return [...votes, ...calls]
}

/** Validators who are not there, longer waits, and fees that nobody pays would only make the run duller. */
function keepPace(call: CallDraft): CallDraft | undefined {
  if (call.type === 4 || call.type === 5) return undefined
  if (call.type !== 6) return call
  const kept: ReadonlySet<ParameterName> = new Set(['proposeMs', 'voteMs', 'roundMs', 'commitMs', 'baseFeeMin'])
  const { changes } = call.body as ProposeParameters
  return changes.some(({ name }) => kept.has(name)) ? undefined : call
}

function twoVotes({ chain }: FullNode): unknown {
  const { consensus } = absent
  const vote = (digit: string) => {
    const ballot: Ballot = { type: 'prevote', height: chain.header.height, round: 0, blockHash: hash(digit.repeat(64)) }
    return { ...ballot, signature: sign(ballotDigest(chain.networkId, ballot), consensus.secretKey) }
  }
  return { kind: 'votes', consensusKey: consensus.publicKey, first: vote('1'), second: vote('2') }
}

/** Whether the node took it; random calls are refused often enough. */
async function submit(client: ConnectedNode<ChainMethods>, bytes: Uint8Array): Promise<boolean> {
  try {
    await client.call('dllm_submit', { transaction: Buffer.from(bytes).toString('hex') })
    return true
  } catch (error) {
    if (error instanceof HouseError) return false
    throw error
  }
}
