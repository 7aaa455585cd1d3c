/**
 * A network of one validator and four miners of a model of random weights, placed on its chain so that each segment has two of them; another machine with an
 * empty disk; and a client that pays. Processes over TCP. Knows nothing of what tests assert.
 */
import { type SpawnOptions, spawn } from 'node:child_process'
import { cpSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import type { ChainMethods } from '../../src/app/chain/chain-methods.ts'
import type { LeaseView } from '../../src/app/chain/market-access.ts'
import type { ConnectedNode } from '../../src/app/control/connect.ts'
import { openHome } from '../../src/app/home.ts'
import { modelsFolder, type StoredModel } from '../../src/app/model-store.ts'
import { createSwarmHomes, MODEL_NAME } from '../swarm-homes.ts'
import { createLab, NETWORK, readyNode, startNode } from './chain-lab.ts'
import { createDllm, type Dllm, PROGRAM, plainEnvironment, type Started, watch } from './dllm.ts'
import { labAddress } from './lab-commands.ts'
import { DLLM, fund } from './market-processes-world.ts'

export const PROMPT = 'Once upon a time'
export const TOKENS = 6
const ON = ['--network', NETWORK]
const CACHE_MIB = 16
const MIB = 1_048_576

/** `account`: of the wallet that all use; role operator earns for role payout. */
export interface MinerWish {
  readonly account: number
  /** From 1; default: it chooses. */
  readonly segments?: readonly [first: number, last: number]
  readonly more?: readonly string[]
  /** It damages what others fetch from it. */
  readonly isBad?: boolean
  /** On the machine with the empty disk, which needs a node of its own. */
  readonly isNew?: boolean
}

export interface JoinWorld {
  readonly model: StoredModel
  readonly chain: ConnectedNode<ChainMethods>
  /** The machine with the empty disk. */
  readonly empty: Dllm
  startMiner(wish: MinerWish): Started
  operator(account: number): string
  /** At the first machine, for a lease. */
  chat(): Promise<{ readonly text: string; readonly lease: LeaseView }>
  closeLease(id: LeaseView['id']): Promise<void>
  /** Operators with a live placement, for each segment. */
  owners(): Promise<string[][]>
  /** Resolves once it holds, asked at each block. */
  until(holds: () => Promise<boolean>): Promise<void>
  close(): Promise<void>
}

type Run = readonly [first: number, last: number]

/** From 1: so many segments at each end that the model has one more at least. */
export function endsOf({ manifest }: StoredModel): { readonly low: Run; readonly high: Run } {
  const count = manifest.segments.length
  const each = Math.floor((count - 1) / 2)
  return { low: [1, each], high: [count - each + 1, count] }
}

/** Flags of a miner with room for both ends, the higher of which is the larger, and not for the model. It begins with one of them at most. */
export function roomForBothEnds(model: StoredModel): string[] {
  const [first] = endsOf(model).high
  const bytes = model.manifest.segments.slice(first - 1).reduce((sum, { shard }) => sum + shard.bytes, 0)
  const memory = Math.ceil((2 * bytes) / MIB) + CACHE_MIB
  return ['--cache-mib', String(CACHE_MIB), '--memory-mib', String(memory)]
}

/** `accounts`: from 1, whose operators have money. */
export async function createJoinWorld(
  megabytes: number,
  { accounts, parameters }: { readonly accounts: number; readonly parameters: readonly string[] },
): Promise<JoinWorld> {
  const homes = await createSwarmHomes(megabytes)
  const [first, empty] = [createDllm(), createDllm()]
  const password = ['--password-file', join(first.home, '..', 'password')]
  const { path } = await openHome({ path: first.home })
  await cp(modelsFolder((await homes.full()).path), modelsFolder(path), { recursive: true })
  const lab = await createLab(first, 1, parameters, ['--model', MODEL_NAME])
  const node = startNode(first, lab.names[0]!)
  const chain = await readyNode(first, lab.names[0]!, node)
  await (await openHome({ path: empty.home })).folder('networks')
  for (const part of ['wallets', join('networks', `${NETWORK}.json`)]) {
    cpSync(join(first.home, part), join(empty.home, part), { recursive: true })
  }
  const operator = (account: number): string =>
    labAddress(lab.wallet.keys({ network: 'local', role: 'operator', account }))
  const all = Array.from({ length: accounts }, (_, index) => operator(index + 1))
  await fund({ lab, chain }, all, 1_000n * DLLM)
  /** Those of the new machine take their node along. */
  const running = new Map<Started, 'SIGKILL' | 'SIGTERM'>([[node, 'SIGKILL']])

  return {
    ...{ model: homes.model, chain, empty, operator },
    startMiner({ account, segments, more = [], isBad = false, isNew = false }) {
      const where = ['--listen', '/ip4/127.0.0.1/tcp/0', '--threads', '1', '--name', `miner-${account}`, '--no-audit']
      const what = ['--model', MODEL_NAME, ...(segments === undefined ? [] : ['--segments', segments.join('-')])]
      const who = ['--wallet', 'default', '--account', String(account), ...password, '--json']
      const args = ['mine', ...ON, ...where, ...what, ...who, ...more]
      const started = isBad ? startBad(first, args) : (isNew ? empty : first).start(args)
      running.set(started, isNew ? 'SIGTERM' : 'SIGKILL')
      return started
    },
    async chat() {
      const how = ['--temperature', '0', '--repetition-penalty', '1', '--max-tokens', String(TOKENS), '--json']
      const asked = ['chat', PROMPT, '--model', MODEL_NAME, '--wallet', 'default', ...password, ...ON, ...how]
      const { code, stdout, stderr } = await first.run(asked)
      if (code !== 0) throw new Error(`a chat failed with ${code}: ${stderr}${stdout}`)
      const end = JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as { text: string; lease: LeaseView['id'] }
      return { text: end.text, lease: await chain.call('dllm_lease', { id: end.lease }) }
    },
    async closeLease(id) {
      await first.json(['lease', 'close', id, '--yes', '--wallet', 'default', ...password, ...ON])
    },
    async owners() {
      const placements = await chain.call('dllm_placements', { model: homes.model.hash })
      const live = placements.filter((placement) => placement.live)
      return homes.model.manifest.segments.map((_, segment) =>
        live.filter((each) => each.first <= segment && segment < each.end).map((each) => each.operator),
      )
    },
    async until(holds) {
      for await (const _head of chain.stream('dllm_watchHeads', {})) if (await holds()) return
    },
    async close() {
      chain.close()
      for (const [{ child }, signal] of running) child.kill(signal)
      await Promise.all([...running.keys()].map(({ ended }) => ended))
      await homes.close()
      for (const machine of [empty, first]) await machine.cleanUp()
    },
  }
}

function startBad({ home }: Dllm, args: readonly string[]): Started {
  const bad = ['--import', join(import.meta.dirname, 'bad-chunks.ts'), PROGRAM]
  const options: SpawnOptions = { env: plainEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] }
  return watch(spawn(process.execPath, [...bad, ...args, '--home', home], options))
}
