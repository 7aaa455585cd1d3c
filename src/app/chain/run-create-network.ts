/**
 * The network create command's work: from flags to a new network, and what to do next. Spec: docs/spec/genesis.md §5.
 * @module
 */
import { grains, type PeerId, peerId } from '../../base/brand.ts'
import type { NetworkKind } from '../../core/network-kind.ts'
import { INITIAL_PARAMETERS, type Parameters, parametersFault, withChanges } from '../../core/parameters.ts'
import { formatDllm, parseDllm, parseGrains } from '../../core/units.ts'
import { UsageError } from '../base-command.ts'
import type { Home } from '../home.ts'
import { isPeerId } from '../networks.ts'
import { isName, isTcpAddress } from '../settings.ts'
import type { System } from '../system.ts'
import type { OpenWallet } from '../wallet.ts'
import { parseChanges } from './arguments.ts'
import { type CreatedNetwork, checkNewNetwork, createNetwork, validatorName } from './create-network.ts'
import { networkModels } from './network-models.ts'
import { newNetwork } from './new-network.ts'

const PORT_MAX = 65_535
/** Elsewhere these names stand for kinds of addresses. */
const PUBLIC_NAMES: ReadonlySet<string> = new Set<NetworkKind>(['mainnet', 'testnet'])

export interface CreateNetworkFlags {
  readonly name: string
  readonly walletName: string
  readonly validators: number
  readonly supply: string
  readonly bond: string
  readonly host: string
  readonly port: number
  readonly parameter?: string[] | undefined
  /** Names of stored models; undefined: those that come with the program. */
  readonly model?: string[] | undefined
  /** Grains per compute unit of its models at first; undefined: the lowest price. */
  readonly price?: string | undefined
  readonly closed: boolean
  readonly allow?: string[] | undefined
}

/** Grains: pays for some five hundred reports at the lowest base fee. */
const OPERATOR_BALANCE = 10n * 1_000_000_000n

/** Before a password is asked for. @throws UsageError, CreateNetworkError. */
export async function checkNetworkName(home: Home, name: string, validators: number): Promise<void> {
  if (!isName(name))
    throw new UsageError('USAGE', `A network's name has letters, digits, ".", "_" and "-", not "${name}".`)
  if (PUBLIC_NAMES.has(name))
    throw new UsageError('USAGE', `The name "${name}" is kept for the ${name}. Choose another.`)
  await checkNewNetwork(home, name, validators)
}

export async function runCreateNetwork(
  flags: CreateNetworkFlags,
  ports: { readonly home: Home; readonly system: System; readonly opened: OpenWallet },
): Promise<{
  readonly lines: readonly string[]
  readonly result: CreatedNetwork & { readonly network: string; readonly models: readonly string[] }
}> {
  const { home, system, opened } = ports
  const { name, validators, host, port } = flags
  if (!isTcpAddress(`${host}/tcp/1`)) {
    throw new UsageError('USAGE', `--host takes an address such as /ip4/192.0.2.1, not "${host}".`)
  }
  if (port + validators - 1 > PORT_MAX) {
    throw new UsageError(
      'USAGE',
      `The nodes have ${validators} ports from --port on, which ends at ${PORT_MAX}: begin lower.`,
    )
  }
  const { parameters, price } = termsFrom(flags)
  const network = newNetwork(
    {
      ...{ name, kind: 'local', timeMs: system.clock.wallMs(), validators, parameters },
      models: networkModels(home, flags.model, price),
      balance: parseDllm(flags.supply),
      bond: parseDllm(flags.bond),
      operatorBalance: OPERATOR_BALANCE,
      validatorName: (number) => validatorName(name, number),
    },
    ({ role, account }) => opened.keys({ network: 'local', role, account }),
  )
  const allow = flags.closed ? (flags.allow ?? []).map(peerFrom) : undefined
  const created = await createNetwork({ name, host, port, allow }, network, { home, system })
  const models = network.genesis.models.map((model) => model.name)
  const lines = createdLines(created, { models, price }, flags)
  return { lines, result: { network: name, ...created, models } }
}

function createdLines(
  { file, networkId, nodes }: CreatedNetwork,
  { models, price }: { readonly models: readonly string[]; readonly price: bigint },
  flags: CreateNetworkFlags,
): string[] {
  const { name, supply, bond, walletName } = flags
  const money = (text: string): string => formatDllm(grains(parseDllm(text)))
  const who = nodes.length === 1 ? '1 validator, which bonds' : `${nodes.length} validators, each of which bonds`
  return [
    `Network ${name} (${networkId.slice(0, 12)})`,
    `${who} ${money(bond)} DLLM; ${money(supply)} DLLM in wallet ${walletName}.`,
    ...(models.length === 0
      ? ['No model is on its chain yet.']
      : [
          `On its chain from the start: ${models.join(', ')}.`,
          price === 0n ? 'A compute unit costs nothing.' : `A compute unit costs ${price} grains.`,
        ]),
    '',
    nodes.length === 1 ? 'Start its node:' : 'Start its nodes, each in a terminal of its own:',
    ...nodes.map((node) => `  dllm node --network ${name} --name ${node.name}`),
    '',
    'Others join with this file; a node of these on another machine also needs its',
    'folder and key in nodes/.',
    `  ${file}`,
    `Make it the default with \`dllm network use ${name}\`.`,
  ]
}

/** Of a network that somebody makes for themselves: whoever serves a new version is enough, because there may be nobody else. */
const PRIVATE_PARAMETERS: Parameters = { ...INITIAL_PARAMETERS, readyOwners: 1n }

/** The first values with the `NAME=VALUE` words of the flags, and the first price. @throws UsageError, ChainArgumentError. */
export function termsFrom(flags: Pick<CreateNetworkFlags, 'parameter' | 'price'>): {
  readonly parameters: Parameters
  readonly price: bigint
} {
  const parameters = withChanges(PRIVATE_PARAMETERS, flags.parameter === undefined ? [] : parseChanges(flags.parameter))
  const fault = parametersFault(parameters)
  if (fault !== undefined) throw new UsageError('USAGE', `--parameter: ${fault}.`)
  const { priceMin, priceMax } = parameters
  const price = flags.price === undefined ? priceMin : parseGrains(flags.price)
  if (price >= priceMin && price <= priceMax) return { parameters, price }
  const message = `--price: ${price} is not between priceMin and priceMax, here ${priceMin} and ${priceMax} grains per CU; --parameter changes these.`
  throw new UsageError('USAGE', message)
}

function peerFrom(text: string): PeerId {
  if (!isPeerId(text)) throw new UsageError('USAGE', `--allow takes a peer id such as 12D3KooW…, not "${text}".`)
  return peerId(text)
}
