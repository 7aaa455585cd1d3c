/**
 * Machines of a network whose model gets a new version, each with a data folder of its own: a validator that publishes and mines, another miner that begins
 * with an empty disk, and a client that chats without a pause. Knows nothing of what tests assert.
 */
import { cpSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { vi } from 'vitest'
import type { ChainMethods } from '../../src/app/chain/chain-methods.ts'
import type { LeaseView, ModelView } from '../../src/app/chain/market-access.ts'
import type { ConnectedNode } from '../../src/app/control/connect.ts'
import { openHome } from '../../src/app/home.ts'
import { openModelStore, type StoredModel } from '../../src/app/model-store.ts'
import type { Hash } from '../../src/base/brand.ts'
import { codeOf, messageOf } from '../../src/base/error.ts'
import { accountOf, addressOfAccount } from '../../src/core/fields.ts'
import { writeVersion } from '../model-versions.ts'
import { createLab, kill, type Lab, NETWORK, readyNode, startNode } from './chain-lab.ts'
import { createDllm, type Dllm, type Outcome, type Started } from './dllm.ts'
import { DLLM, fund } from './market-processes-world.ts'
import { type AtTerminal, atTerminal } from './terminal.ts'

export const PROMPT = 'Once upon a time'
export const TOKENS = 120
export const V1 = 'story'
export const V2 = 'story-2'
/** Of six. */
export const CHANGED_SEGMENT = 3
const CLIENT_ACCOUNT = 3
const TALKING_ACCOUNT = 4
const ON = ['--network', NETWORK]
const WAIT = { timeout: 300_000, interval: 50 }

/** An answer, and the lease that paid for it. */
export interface PaidAnswer {
  readonly model: string
  readonly text: string
  readonly lease: LeaseView
}

export interface UpgradeWorld {
  readonly lab: Lab
  /** Has the validator's node, and the files of both versions. */
  readonly publisher: Dllm
  readonly client: Dllm
  readonly chain: ConnectedNode<ChainMethods>
  readonly models: readonly [v1: StoredModel, v2: StoredModel]
  /** At the publisher's machine, with its wallet. */
  pay<Value>(...args: string[]): Promise<Value>
  /** Has an empty disk. */
  readonly newcomer: Dllm
  /** Serves these segments of V1 for pay. Resolves when the chain has it placed. */
  startMiner(machine: Dllm, account: number, segments: string): Promise<Started>
  /** At the client's machine, for a lease; asks for V1, whatever took its place. */
  chat(): Promise<PaidAnswer>
  /** A conversation with V1 at the client's machine, of another account. */
  converse(): AtTerminal
  /** A model of the chain; undefined: it is gone. */
  model(hash: Hash): Promise<ModelView | undefined>
  untilModel(hash: Hash, isWanted: (view: ModelView | undefined) => boolean): Promise<void>
  /** The accounts of both miners, and what their processes and the validator said last: for a failure. */
  told(): Promise<string>
  close(): Promise<void>
}

/** Whole files of a machine's store, and names of its models. */
export function storedOn({ home }: Dllm): { readonly roots: string[]; readonly models: string[] } {
  const namesIn = (folder: string): string[] => readdirSync(join(home, folder)).sort()
  return {
    roots: namesIn('shards').filter((name) => /^[0-9a-f]{64}$/.test(name)),
    models: namesIn('models').filter((name) => !name.startsWith('.')),
  }
}

export async function createUpgradeWorld(parameters: readonly string[]): Promise<UpgradeWorld> {
  const machines: Dllm[] = []
  const running: Started[] = []
  const newMachine = (): Dllm => {
    const dllm = createDllm()
    machines.push(dllm)
    return dllm
  }
  const publisher = newMachine()
  const password = ['--password-file', join(publisher.home, '..', 'password')]
  await openHome({ path: publisher.home })
  const genesis = openModelStore({ home: publisher.home }).find('genesis')
  const everything = genesis.manifest.segments.map((_, segment) => segment)
  const v1 = await writeVersion(publisher.home, { name: V1, from: genesis, changed: everything, factor: 1.0001 })
  const v2 = await writeVersion(publisher.home, { name: V2, from: v1, changed: [CHANGED_SEGMENT], factor: 20 })
  const lab = await createLab(publisher, 1, parameters, ['--model', V1])
  const node = startNode(publisher, lab.names[0]!)
  running.push(node)
  const chain = await readyNode(publisher, lab.names[0]!, node)
  /** Another machine, which has the network's file and the wallet. */
  const joinMachine = async (): Promise<Dllm> => {
    const dllm = newMachine()
    await (await openHome({ path: dllm.home })).folder('networks')
    for (const path of [join('networks', `${NETWORK}.json`), 'wallets']) {
      cpSync(join(publisher.home, path), join(dllm.home, path), { recursive: true })
    }
    return dllm
  }
  const [newcomer, client] = [await joinMachine(), await joinMachine()]
  const addressFor = (role: 'owner' | 'operator', account: number): string =>
    addressOfAccount(accountOf(lab.wallet.keys({ network: 'local', role, account }).publicKey), 'local')
  const accounts = [
    addressFor('operator', 1),
    addressFor('operator', 2),
    addressFor('owner', CLIENT_ACCOUNT),
    addressFor('owner', TALKING_ACCOUNT),
  ]
  await fund({ lab, chain }, accounts, 1_000n * DLLM)

  const model = async (hash: Hash): Promise<ModelView | undefined> => {
    return chain.call('dllm_model', { model: hash }).catch((error: unknown) => {
      if (codeOf(error) !== 'NO_SUCH_MODEL') throw error
      return undefined
    })
  }
  return {
    ...{ lab, publisher, newcomer, client, chain, model, models: [v1, v2] },
    pay: (...args) => publisher.json([...args, ...ON, ...password]),
    async startMiner(dllm, account, segments) {
      const where = ['--listen', '/ip4/127.0.0.1/tcp/0', '--threads', '1', '--slots', '16']
      const what = ['--model', v1.hash, '--segments', segments, '--wallet', 'default', '--account', String(account)]
      const process = dllm.start(['mine', ...ON, ...where, ...what, ...password, '--json'])
      running.push(process)
      await process.printed(/"event":"state","timeMs":\d+,"text":"Offers/)
      return process
    },
    async chat() {
      const how = ['--temperature', '0', '--repetition-penalty', '1', '--max-tokens', String(TOKENS), '--json']
      const who = ['--wallet', 'default', '--account', String(CLIENT_ACCOUNT), ...password]
      return answerOf(await client.run(['chat', PROMPT, '--model', V1, ...ON, ...how, ...who]), chain)
    },
    converse() {
      const how = ['--temperature', '0', '--repetition-penalty', '1', '--max-tokens', '16', '--home', client.home]
      const who = ['--wallet', 'default', '--account', String(TALKING_ACCOUNT), ...password]
      return atTerminal(['chat', '--model', V1, ...ON, ...how, ...who])
    },
    async untilModel(hash, isWanted) {
      try {
        await vi.waitUntil(async () => isWanted(await model(hash)), WAIT)
      } catch (cause) {
        const readiness = await chain.call('dllm_readiness', { model: hash }).catch(messageOf)
        const seen = JSON.stringify([await model(hash), readiness])
        throw new Error(`the model did not become what was wanted: ${seen}`, { cause })
      }
    },
    async told() {
      const operators = accounts.slice(0, 2).map((address) => chain.call('dllm_account', { address }).catch(messageOf))
      const said = await Promise.all(running.map(async ({ printed }) => eventsOf(await printed(/^/)).slice(-40_000)))
      return [JSON.stringify(await Promise.all(operators)), ...said].join('\n\n')
    },
    async close() {
      chain.close()
      for (const { child } of running.slice(1)) child.kill('SIGTERM')
      await Promise.all(running.slice(1).map(({ ended }) => ended))
      await kill(node)
      for (const machine of machines) await machine.cleanUp()
    },
  }
}

/** Without blocks and sessions, of which there are many. */
function eventsOf(printed: string): string {
  const lines = printed.split('\n').filter((line) => !/^\{"type":"block"| info (?:session|lease)\./.test(line))
  return lines.join('\n')
}

async function answerOf({ code, stdout, stderr }: Outcome, chain: ConnectedNode<ChainMethods>): Promise<PaidAnswer> {
  if (code !== 0) throw new Error(`a chat failed with ${code}: ${stderr}${stdout.slice(-2_000)}`)
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { readonly type: string; readonly model: string; readonly text: string })
  const { model, text, ...end } = lines.at(-1)! as (typeof lines)[number] & { readonly lease?: Hash }
  if (end.lease === undefined) throw new Error(`a chat was free: ${stderr}`)
  return { model, text, lease: await chain.call('dllm_lease', { id: end.lease }) }
}
