/**
 * The chain of the local network: validator processes on loopback over a genesis of their own. Started beside the miners,
 * kept from one run to the next. Spec: docs/spec/home.md §5.
 * @module
 */
import { statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { grains } from '../../base/brand.ts'
import type { Clock } from '../../base/ports.ts'
import type { Genesis } from '../../core/genesis.ts'
import { formatGenesis, GenesisError } from '../../core/genesis-file.ts'
import { PARAMETER_NAMES } from '../../core/parameters.ts'
import { writeValidator } from '../chain/create-network.ts'
import { localGenesisFile } from '../chain/genesis-text.ts'
import { chainOf, NetworkChainError } from '../chain/network-chain.ts'
import { networkModels } from '../chain/network-models.ts'
import { newNetwork } from '../chain/new-network.ts'
import { type Home, writeFileAtomic } from '../home.ts'
import { LOCAL_NETWORK } from '../networks.ts'
import { nodeFolder } from '../node/node-folders.ts'
import type { NodeReady } from '../node/run-node.ts'
import type { System } from '../system.ts'
import { isStarterRunning, rememberStarter, STARTER_MARK, starterPid } from './chain-starter.ts'
import { DevnetError } from './devnet-state.ts'
import { type LocalChain, type LocalValidator, readLocalChain, writeLocalChain } from './local-chain-state.ts'
import { withLock } from './local-lock.ts'
import { LOCAL_PARAMETERS, LOCAL_PRICE, MINER_FUNDS } from './local-market.ts'
import { openLocalWallet } from './local-wallet.ts'
import { endProcesses, inTime, isRunning, logWords, startAndForget, startProcess } from './process.ts'

const GRAINS_PER_DLLM = 1_000_000_000n
const BALANCE = grains(1_000_000n * GRAINS_PER_DLLM)
const BOND = grains(10_000n * GRAINS_PER_DLLM)
const OPERATOR_BALANCE = 10n * GRAINS_PER_DLLM
const LOCK = 'chain.lock'

export interface EnsuredChain {
  readonly chain: LocalChain
  /** How many processes had to be started. */
  readonly started: number
  /** Whether another chain was thrown away for this one. */
  readonly isReplaced: boolean
}

export interface ChainWish {
  readonly home: Home
  /** Undefined: as many as there are, one at first. */
  readonly validators: number | undefined
  /** A chain of another version of this program makes way for a new one; else it stays as long as it can be read. */
  readonly replacesOlder: boolean
}

/**
 * The running chain. Another number of validators makes a new chain.
 * @throws DevnetError DEVNET_VALIDATOR_FAILED, DEVNET_LOCKED; GenesisError where the chain cannot be read and stays.
 */
export async function ensureLocalChain(wish: ChainWish, system: System): Promise<EnsuredChain> {
  const { home, validators } = wish
  return withLock({ home, file: LOCK }, system.clock, async () => {
    let known = await readLocalChain(home)
    const isOther = validators !== undefined && validators !== known?.validators.length
    const isReplaced = known !== undefined && (isOther || !(await isUsable(wish)))
    if (known === undefined || isReplaced) {
      if (known !== undefined) await forget(home, known, system)
      known = await begin(home, validators ?? known?.validators.length ?? 1, system)
    }
    const running = await runningOf(known)
    if (running.every(Boolean)) return { chain: known, started: 0, isReplaced }
    // All of them anew: each is told the addresses of the others.
    await endProcesses(targetsOf(known), system)
    const chain = await startValidators(home, known, system)
    return { chain, started: chain.validators.length, isReplaced }
  })
}

async function isUsable({ home, replacesOlder }: ChainWish): Promise<boolean> {
  try {
    const { genesis } = await chainOf(home, LOCAL_NETWORK)
    return !replacesOlder || isOfThisVersion(genesis, home)
  } catch (error) {
    if (replacesOlder && (error instanceof GenesisError || error instanceof NetworkChainError)) return false
    throw error
  }
}

/** Whether it begins as one that this program makes: an older one has other prices, another model, or no money for miners. */
function isOfThisVersion({ parameters, models, accounts }: Genesis, home: Home): boolean {
  const ids = new Set(models.map(({ model }) => model))
  return (
    PARAMETER_NAMES.every((name) => parameters[name] === LOCAL_PARAMETERS[name]) &&
    networkModels(home, undefined, LOCAL_PRICE).every(({ model }) => ids.has(model)) &&
    accounts.length > MINER_FUNDS.length
  )
}

/** The validators and whether they run; undefined: no chain yet. */
export async function inspectLocalChain(
  home: Home,
): Promise<{ readonly chain: LocalChain; readonly running: readonly boolean[] } | undefined> {
  const chain = await readLocalChain(home)
  return chain && { chain, running: await runningOf(chain) }
}

/**
 * Starts the chain in a process of its own, so that nobody waits for it; one that is about to start is left alone. Its words go
 * to `devnet/logs/chain.log`.
 */
export async function startLocalChainLater(home: Home): Promise<void> {
  const known = await inspectLocalChain(home)
  if (known?.running.every(Boolean) || (await isStarterRunning(home))) return
  await home.folder('devnet', 'logs')
  const args = ['devnet', 'up', STARTER_MARK, '--home', home.path]
  const pid = startAndForget(args, home.file('devnet', 'logs', 'chain.log'))
  await rememberStarter(home, pid)
}

/** Ends the validators, and whoever is about to start them; the chain stays. Returns how many ran. */
export async function stopLocalChain(home: Home, ports: { readonly clock: Clock }): Promise<number> {
  await endProcesses([{ pid: await starterPid(home), mark: STARTER_MARK }], ports)
  if ((await readLocalChain(home)) === undefined) return 0
  return withLock({ home, file: LOCK }, ports.clock, async () => {
    const chain = await readLocalChain(home)
    return chain === undefined ? 0 : endProcesses(targetsOf(chain), ports)
  })
}

function runningOf({ validators }: LocalChain): Promise<boolean[]> {
  return Promise.all(validators.map(({ pid, name }) => isRunning(pid, name)))
}

function targetsOf({ validators }: LocalChain): { pid: number; mark: string }[] {
  return validators.map(({ pid, name }) => ({ pid, mark: name }))
}

/** Genesis, keys and wallet; no process yet. */
async function begin(home: Home, validators: number, system: System): Promise<LocalChain> {
  const wallet = await openLocalWallet(home, system)
  const network = newNetwork(
    {
      ...{ name: LOCAL_NETWORK.id, kind: 'local', timeMs: system.clock.wallMs(), validators },
      models: networkModels(home, undefined, LOCAL_PRICE),
      ...{ parameters: LOCAL_PARAMETERS, balance: BALANCE, bond: BOND, operatorBalance: OPERATOR_BALANCE },
      funded: MINER_FUNDS,
      validatorName: (number) => `local-validator-${number}`,
    },
    ({ role, account }) => wallet.keys({ network: 'local', role, account }),
  )
  for (const validator of network.validators) await writeValidator(home, validator, network.genesis)
  await writeFileAtomic(localGenesisFile(home), formatGenesis(network.genesis))
  const chain = { validators: network.validators.map(({ name }) => ({ name, pid: 0, peer: '', addresses: [] })) }
  await writeLocalChain(home, chain)
  return chain
}

/** Ends the chain for good: its validators hold keys of a genesis that is no more. */
async function forget(home: Home, chain: LocalChain, system: System): Promise<void> {
  await endProcesses(targetsOf(chain), system)
  for (const { name } of chain.validators) {
    await rm(nodeFolder(home, name).path, { recursive: true, force: true })
  }
}

async function startValidators(home: Home, { validators }: LocalChain, system: System): Promise<LocalChain> {
  await home.folder('devnet', 'logs')
  const ports = await freePorts(validators.length)
  const listens = ports.map((port) => `/ip4/127.0.0.1/tcp/${port}`)
  const starting = validators.map(({ name }, index) => {
    const others = listens.filter((_, other) => other !== index)
    return startValidator(home, { name, listen: listens[index]!, others })
  })
  const begun = starting.map(({ name, pid }) => ({ name, pid, peer: '', addresses: [] }))
  // Known from now on, so that they can be stopped even if this process ends before they are ready.
  await writeLocalChain(home, { validators: begun })
  const settled = await Promise.allSettled(starting.map(({ ready }) => inTime(ready, system.clock)))
  const failed = settled.findIndex(({ status }) => status === 'rejected')
  if (failed >= 0) {
    await endProcesses(targetsOf({ validators: begun }), system)
    const { logFile, logStart } = starting[failed]!
    const words = await logWords({ logFile, logStart }, (settled[failed] as PromiseRejectedResult).reason)
    const message = `A validator of the local network did not start: ${words} Its log is ${logFile}.`
    throw new DevnetError('DEVNET_VALIDATOR_FAILED', message, { details: { logFile } })
  }
  const chain = { validators: settled.map((result) => (result as PromiseFulfilledResult<LocalValidator>).value) }
  await writeLocalChain(home, chain)
  return chain
}

interface Starting {
  readonly name: string
  readonly pid: number
  readonly ready: Promise<LocalValidator>
  readonly logFile: string
  /** Bytes that the log had before. */
  readonly logStart: number
}

function startValidator(
  home: Home,
  { name, listen, others }: { readonly name: string; readonly listen: string; readonly others: readonly string[] },
): Starting {
  const logFile = home.file('devnet', 'logs', `${name}.log`)
  const logStart = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0
  const args = ['node', '--home', home.path, '--network', 'local', '--name', name, '--listen', listen]
  const bootstrap = others.flatMap((address) => ['--bootstrap', address])
  const { pid, ready } = startProcess<NodeReady>([...args, ...bootstrap], logFile)
  const started = ready.then(({ peer, addresses }) => ({ name, pid, peer, addresses }))
  return { name, pid, ready: started, logFile, logStart }
}

/** Ports that nobody listens on at this moment. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, listenAnywhere))
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

function listenAnywhere(): Promise<ReturnType<typeof createServer>> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => resolve(server))
  })
}
