/**
 * A validator as a process, killed at random points again and again while another one, which cannot go on without it, writes
 * down everything it signs: it comes back every time, never signs twice, and has every block that it had called final.
 * DLLM_CRASH_KILLS=200 is the full run.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openHome } from '../../src/app/home.ts'
import { createNode, type FullNode } from '../../src/app/node/node.ts'
import { nodeFolder } from '../../src/app/node/node-folders.ts'
import { loadValidatorKeys } from '../../src/app/node/validator-keys.ts'
import { loadNodeIdentity } from '../../src/app/node-identity.ts'
import { opensslAccepts } from '../../src/app/openssl-verify.ts'
import { openDisk } from '../../src/app/store/disk.ts'
import { openLevelStore } from '../../src/app/store/level-store.ts'
import { createLibp2pWire } from '../../src/net/libp2p-wire.ts'
import type { Wire } from '../../src/net/wire.ts'
import { createDice } from '../chain-random.ts'
import { createLab, kill, labChain, readyNode, startNode, untilStatus } from '../cli/chain-lab.ts'
import { createDllm, type Started } from '../cli/dllm.ts'
import { SYSTEM } from './node-world.ts'
import { createSignatureWitness, overheard, type SignatureWitness } from './signature-witness.ts'

const KILLS = Number(process.env['DLLM_CRASH_KILLS'] ?? 6)
const SEED = BigInt(process.env['DLLM_CRASH_SEED'] ?? 1)
const VICTIM = 'lab-1'
const OTHER = 'lab-2'
/** About what a process takes until it votes, so that some die before. */
const START_MS = 1_200
const TIMEOUTS = ['proposeMs=600', 'voteMs=300', 'roundMs=50', 'commitMs=10']

const dllm = createDllm()
let other: { readonly node: FullNode; readonly wire: Wire }
let witness: SignatureWitness
/** What the victim called final, by height. */
const announced = new Map<number, string>()
const faults: string[] = []
let heard = (): void => undefined
let life: Started | undefined

beforeAll(async () => {
  await createLab(dllm, 2, TIMEOUTS)
  other = await startOther()
})

afterAll(async () => {
  if (life !== undefined) await kill(life)
  await other.node.stop()
  await other.wire.stop()
  await dllm.cleanUp()
})

/** The other validator, in this process, and all that it hears of the victim. */
async function startOther(): Promise<typeof other> {
  const home = await openHome({ path: dllm.home })
  const network = await labChain(dllm)
  const victimKeys = await loadValidatorKeys(nodeFolder(home, VICTIM).validatorKey)
  witness = createSignatureWitness(network.networkId, victimKeys!.consensus.publicKey)
  const folder = nodeFolder(home, OTHER)
  const identity = await loadNodeIdentity(home.file('nodes', `${OTHER}.key`), SYSTEM.random)
  const own = network.network.bootstrap.find((address) => address.endsWith(identity.peer))!
  const real = await createLibp2pWire(
    {
      ...{ networkId: network.network.id, privateKey: identity.privateKey, mdns: false, dht: true, news: true },
      listen: [own.replace(/\/p2p\/.*$/, '')],
      bootstrap: network.network.bootstrap.filter((address) => address !== own),
    },
    SYSTEM,
  )
  const wire = overheard(real, {
    message(message) {
      const before = witness.signed.size
      witness.hear(message)
      if (witness.signed.size > before) heard()
    },
    head: ({ height, blockHash }) => note(height, blockHash),
  })
  const node = await createNode(
    { network, name: OTHER, keys: await loadValidatorKeys(folder.validatorKey), isNewKey: false },
    {
      ...{ ...SYSTEM, wire, accepts: opensslAccepts },
      ...{ store: await openLevelStore(folder.store), disk: await openDisk(folder.disk) },
    },
  )
  return { node, wire: real }
}

function note(height: number, hash: string): void {
  if (height === 0) return
  const before = announced.get(height) ?? hash
  if (before !== hash) faults.push(`block ${height} was ${before} and is ${hash}`)
  announced.set(height, hash)
}

/** A life, of which everything that it says on stdout is taken down: where it started, and each final block. */
function startVictim(): Started {
  const started = startNode(dllm, VICTIM)
  let rest = ''
  started.child.stdout!.on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()!
    for (const line of lines) {
      const said = JSON.parse(line) as { type: string; height: number; hash: string }
      const last = Math.max(0, ...announced.keys())
      if (said.type === 'started' && said.height < last)
        faults.push(`started at ${said.height} after ${last} was final`)
      note(said.height, said.hash)
    }
  })
  return started
}

/** Resolves at a point of the life that the dice choose: on its way up, or some moments after it signed so many things. */
async function randomPoint(dice: ReturnType<typeof createDice>): Promise<void> {
  if (dice.chance(0.25)) return passes(dice.below(START_MS))
  let left = 1 + dice.below(12)
  await new Promise<void>((resolve) => {
    heard = () => {
      if (--left === 0) resolve()
    }
  })
  await passes(dice.below(40))
}

/** The fault itself, not a way to wait for something. */
function passes(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

test(`killed ${KILLS} times it comes back, signs nothing twice and loses no final block`, {
  timeout: 60_000 + KILLS * 10_000,
}, async () => {
  const dice = createDice(SEED)
  for (let count = 0; count < KILLS; count++) {
    life = startVictim()
    const outcome = await Promise.race([randomPoint(dice), life.ended])
    // A refusal to start, or to go on, would end it: after SIGKILL there is no reason for one.
    expect({ count, outcome }).toEqual({ count, outcome: undefined })
    await kill(life)
    expect({ count, conflicts: witness.conflicts, faults }).toEqual({ count, conflicts: [], faults: [] })
  }
  life = startVictim()
  const client = await readyNode(dllm, VICTIM, life)
  const { height } = await client.call('dllm_head', {})
  await untilStatus(client, (status) => status.height >= height + 3)
  for (const [at, hash] of announced) {
    const blocks = [await client.call('dllm_block', { height: at }), await other.node.access.block(at)]
    expect(blocks.map((block) => block.hash)).toEqual([hash, hash])
  }
  expect([witness.conflicts, faults]).toEqual([[], []])
  expect(witness.signed.size).toBeGreaterThan(KILLS)
  process.stdout.write(`${KILLS} kills, ${announced.size} blocks announced, ${witness.signed.size} things signed\n`)
  client.close()
})
