/**
 * The settings that exist: for each its default, its environment variable and what it accepts.
 * A new setting is one entry in `Settings` and one in `SETTINGS`.
 * Spec: docs/spec/home.md §2.
 * @module
 */
import { INPUT_LIMITS, MODEL_LIMITS, WIRE_LIMITS } from '../base/limits.ts'

export interface Settings {
  /** Name of the network that commands talk to. */
  readonly network: string
  /** Model that `chat` asks for. */
  readonly model: string
  /** Wallet that signs and pays. */
  readonly wallet: string
  /** Threads of the engine; 0: as many as the machine has cores. */
  readonly threads: number
  /** GiB that the store of shards may take; 0: as much as the disk has. */
  readonly shardGib: number
  /** Multiaddr on which `mine` listens. */
  readonly listen: string
}

export type SettingKey = keyof Settings
export type SettingValue = Settings[SettingKey]

export interface Setting {
  readonly initial: SettingValue
  readonly variable: `DLLM_${string}`
  /** What is accepted, as the end of "must be …". */
  readonly expected: string
  readonly accepts: (value: unknown) => value is SettingValue
}

const NAME_EXPECTED = 'a name of letters, digits, ".", "_" and "-"'
const MULTIADDR_EXPECTED = 'a multiaddr such as /ip4/127.0.0.1/tcp/4001'

export const SETTINGS: Readonly<Record<SettingKey, Setting>> = {
  network: { initial: 'local', variable: 'DLLM_NETWORK', expected: NAME_EXPECTED, accepts: isName },
  model: { initial: 'genesis', variable: 'DLLM_MODEL', expected: NAME_EXPECTED, accepts: isName },
  wallet: { initial: 'default', variable: 'DLLM_WALLET', expected: NAME_EXPECTED, accepts: isName },
  threads: {
    initial: 0,
    variable: 'DLLM_THREADS',
    expected: `a whole number from 0 to ${INPUT_LIMITS.threadsMax}`,
    accepts: isThreadCount,
  },
  shardGib: {
    initial: 0,
    variable: 'DLLM_SHARD_GIB',
    expected: `a whole number from 0 to ${INPUT_LIMITS.shardGibMax}`,
    accepts: isShardGib,
  },
  listen: {
    initial: '/ip4/0.0.0.0/tcp/0',
    variable: 'DLLM_LISTEN',
    expected: MULTIADDR_EXPECTED,
    accepts: isListenAddress,
  },
}

/** Names of models, networks and wallets: also file names, hence no separators and no leading dot. */
export function isName(value: unknown): value is string {
  if (typeof value !== 'string' || value.length > MODEL_LIMITS.modelNameCharactersMax) return false
  return /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(value)
}

function isThreadCount(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= INPUT_LIMITS.threadsMax
}

function isShardGib(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= INPUT_LIMITS.shardGibMax
}

/** The setting shardGib in bytes; 0: no quota. */
export function shardQuotaBytes({ shardGib }: Pick<Settings, 'shardGib'>): number {
  return shardGib * 2 ** 30
}

/** A TCP multiaddr, `/ip4/192.0.2.1/tcp/4001`, with or without a `/p2p/ID` at its end. */
export function isTcpAddress(value: unknown): value is string {
  if (typeof value !== 'string' || value.length > WIRE_LIMITS.addressCharactersMax) return false
  const [, port] = /^\/(?:ip4|ip6|dns|dns4|dns6)\/[^/\s]+\/tcp\/(\d{1,5})(?:\/p2p\/[A-Za-z0-9]+)?$/.exec(value) ?? []
  return port !== undefined && Number(port) <= 65_535
}

function isListenAddress(value: unknown): value is string {
  return isTcpAddress(value) && !value.includes('/p2p/')
}
