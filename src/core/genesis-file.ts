/**
 * The genesis file: JSON that people write and share. Fields are checked one by one, unknown ones are refused, so that a typing
 * error never makes another network than was meant. Knows no disk. Spec: docs/spec/genesis.md.
 * @module
 */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { type AccountId, type Hash, milliseconds } from '../base/brand.ts'
import { CHAIN_LIMITS } from '../base/chain-limits.ts'
import { HouseError, messageOf } from '../base/error.ts'
import { BLS_SIGNATURE_BYTES } from './bls.ts'
import { SEED_KEY_BYTES } from './consensus/validator-set.ts'
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from './ed25519.ts'
import { accountOfAddress, addressOfAccount, HASH_BYTES, hashOf } from './fields.ts'
import { type Genesis, type GenesisAccount, type GenesisModel, type GenesisValidator, networkIdOf } from './genesis.ts'
import { type GenesisFault, genesisFault, genesisProofsFault } from './genesis-fault.ts'
import { NETWORK_KINDS, type NetworkKind } from './network-kind.ts'
import {
  INITIAL_PARAMETERS,
  PARAMETER_NAMES,
  type ParameterChange,
  type Parameters,
  withChanges,
} from './parameters.ts'
import { parseGrains } from './units.ts'

export class GenesisError extends HouseError<'GENESIS_TOO_LARGE' | 'GENESIS_NOT_JSON' | 'GENESIS_BAD_FIELD'> {}

const FILE_MEMBERS = ['name', 'kind', 'timeMs', 'parameters', 'accounts', 'validators', 'models']
const PROOF_MEMBERS = ['consensusKey', 'seedKey', 'consensusProof', 'seedProof']
const VALIDATOR_MEMBERS = ['address', 'name', ...PROOF_MEMBERS, 'bond']
const MODEL_MEMBERS = ['manifest', 'name', 'context', 'price', 'segments']

const CONTEXT_MAX = 2 ** 32 - 1

/** A value of the file and where it stands. */
interface Place {
  readonly value: unknown
  /** Such as `validators[2].bond`; empty for the whole file. */
  readonly field: string
}

/** Whether the proofs in the genesis of this network were found valid before; they are dear to check, 50 ms per validator. */
export type IsProven = (networkId: Hash) => boolean

/**
 * Reads the text of a genesis file.
 * @throws GenesisError GENESIS_TOO_LARGE, GENESIS_NOT_JSON, and GENESIS_BAD_FIELD with the field in its details.
 */
export function parseGenesis(text: string, isProven?: IsProven): Genesis {
  if (text.length > CHAIN_LIMITS.genesisFileBytesMax) {
    const sentence = `A genesis file has at most ${CHAIN_LIMITS.genesisFileBytesMax} bytes. Give fewer accounts.`
    throw new GenesisError('GENESIS_TOO_LARGE', sentence)
  }
  return readGenesis(parseJson(text), isProven)
}

/** As `parseGenesis`, of what stands in the JSON of another file. @throws GenesisError GENESIS_BAD_FIELD. */
export function readGenesis(value: unknown, isProven: IsProven = () => false): Genesis {
  const file = membersOf({ value, field: '' }, FILE_MEMBERS)
  const kind = kindOf(file('kind'))
  const read: Genesis = {
    name: textOf(file('name')),
    kind,
    timeMs: milliseconds(wholeNumberOf(file('timeMs'))),
    parameters: parametersOf(file('parameters')),
    accounts: listOf(file('accounts')).map((place) => accountOf(place, kind)),
    validators: listOf(file('validators')).map((place) => validatorOf(place, kind)),
    models: file('models').value === undefined ? [] : listOf(file('models')).map(modelOf),
  }
  const found = genesisFault(read) ?? proofsFault(read, isProven)
  if (found !== undefined) throw badField(found.field, found.fault)
  return sorted(read)
}

function proofsFault(read: Genesis, isProven: IsProven): GenesisFault | undefined {
  return isProven(networkIdOf(sorted(read))) ? undefined : genesisProofsFault(read)
}

function sorted(genesis: Genesis): Genesis {
  return {
    ...genesis,
    accounts: byId(genesis.accounts, ({ id }) => id),
    validators: byId(genesis.validators, ({ id }) => id),
    models: byId(genesis.models, ({ model }) => model),
  }
}

/**
 * The file of a genesis; `parseGenesis` reads it back. All parameters stand in it, so that it means the same network to a later
 * program with other first values.
 */
export function formatGenesis(genesis: Genesis): string {
  const { name, kind, timeMs } = genesis
  const file = {
    ...{ name, kind, timeMs },
    parameters: Object.fromEntries(
      PARAMETER_NAMES.map((parameter) => [parameter, String(genesis.parameters[parameter])]),
    ),
    accounts: genesis.accounts.map(({ id, balance }) => ({
      address: addressOfAccount(id, kind),
      balance: String(balance),
    })),
    validators: genesis.validators.map((validator) => ({
      address: addressOfAccount(validator.id, kind),
      name: validator.name,
      consensusKey: bytesToHex(validator.consensusKey),
      seedKey: bytesToHex(validator.seedKey),
      consensusProof: bytesToHex(validator.consensusProof),
      seedProof: bytesToHex(validator.seedProof),
      bond: String(validator.bond),
    })),
    models: genesis.models.map(({ model, name: title, context, price, segments }) => ({
      ...{ manifest: model, name: title, context, price: String(price) },
      segments: segments.map(({ linear, attention }) => ({ linear: String(linear), attention: String(attention) })),
    })),
  }
  return `${JSON.stringify(file, null, 2)}\n`
}

function accountOf(place: Place, kind: NetworkKind): GenesisAccount {
  const member = membersOf(place, ['address', 'balance'])
  return { id: addressIn(member('address'), kind), balance: grainsOf(member('balance')) }
}

function validatorOf(place: Place, kind: NetworkKind): GenesisValidator {
  const member = membersOf(place, VALIDATOR_MEMBERS)
  return {
    id: addressIn(member('address'), kind),
    name: textOf(member('name')),
    consensusKey: bytesOf(member('consensusKey'), PUBLIC_KEY_BYTES),
    seedKey: bytesOf(member('seedKey'), SEED_KEY_BYTES),
    consensusProof: bytesOf(member('consensusProof'), SIGNATURE_BYTES),
    seedProof: bytesOf(member('seedProof'), BLS_SIGNATURE_BYTES),
    bond: grainsOf(member('bond')),
  }
}

function modelOf(place: Place): GenesisModel {
  const member = membersOf(place, MODEL_MEMBERS)
  return {
    model: hashOf(bytesOf(member('manifest'), HASH_BYTES)),
    name: textOf(member('name')),
    context: contextOf(member('context')),
    price: grainsOf(member('price')),
    segments: listOf(member('segments')).map((segment) => {
      const work = membersOf(segment, ['linear', 'attention'])
      return { linear: grainsOf(work('linear')), attention: grainsOf(work('attention')) }
    }),
  }
}

/** What the field of the encoding holds. */
function contextOf(place: Place): number {
  const value = wholeNumberOf(place)
  if (value > CONTEXT_MAX) throw badField(place.field, `must be at most ${CONTEXT_MAX}`)
  return value
}

function parametersOf(place: Place): Parameters {
  if (place.value === undefined) return INITIAL_PARAMETERS
  const member = membersOf(place, PARAMETER_NAMES)
  const changes = PARAMETER_NAMES.flatMap((name): ParameterChange[] => {
    const { value, field } = member(name)
    if (value === undefined) return []
    const text = typeof value === 'number' ? String(wholeNumberOf({ value, field })) : value
    return [{ name, value: grainsOf({ value: text, field }) }]
  })
  return withChanges(INITIAL_PARAMETERS, changes)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new GenesisError('GENESIS_NOT_JSON', `The genesis file is not JSON: ${messageOf(cause)}.`, { cause })
  }
}

/** Access to the members of an object that may have these and no others. */
function membersOf({ value, field }: Place, names: readonly string[]): (name: string) => Place {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badField(field, 'must be an object')
  const at = (name: string): string => (field === '' ? name : `${field}.${name}`)
  const unknown = Object.keys(value).find((name) => !names.includes(name))
  if (unknown !== undefined) throw badField(at(unknown), `is not known here. Known are ${names.join(', ')}`)
  const members = new Map<string, unknown>(Object.entries(value))
  return (name) => ({ value: members.get(name), field: at(name) })
}

function listOf({ value, field }: Place): Place[] {
  if (!Array.isArray(value)) throw badField(field, 'must be a list')
  return value.map((item: unknown, index) => ({ value: item, field: `${field}[${index}]` }))
}

function textOf({ value, field }: Place): string {
  if (typeof value !== 'string') throw badField(field, 'must be a text')
  return value
}

function wholeNumberOf({ value, field }: Place): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw badField(field, 'must be a whole number')
  return value
}

function grainsOf(place: Place): bigint {
  return reading(place.field, () => parseGrains(textOf(place)))
}

function addressIn(place: Place, kind: NetworkKind): AccountId {
  return reading(place.field, () => accountOfAddress(textOf(place), kind))
}

function bytesOf(place: Place, count: number): Uint8Array {
  const digits = textOf(place)
  if (digits.length === 2 * count && /^[0-9a-f]*$/.test(digits)) return hexToBytes(digits)
  throw badField(place.field, `must be ${2 * count} hexadecimal digits in lower case`)
}

function kindOf({ value, field }: Place): NetworkKind {
  const kind = NETWORK_KINDS.find((known) => known === value)
  if (kind === undefined) throw badField(field, `must be one of ${NETWORK_KINDS.join(', ')}`)
  return kind
}

/** Gives an error from below the name of the field. */
function reading<Value>(field: string, read: () => Value): Value {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof HouseError) || cause instanceof GenesisError) throw cause
    throw badField(field, `is not valid. ${cause.message.replace(/\.$/, '')}`, cause)
  }
}

function badField(field: string, fault: string, cause?: unknown): GenesisError {
  const what = field === '' ? 'The genesis file' : `"${field}" of the genesis file`
  return new GenesisError('GENESIS_BAD_FIELD', `${what} ${fault}.`, { details: { field }, cause })
}

function byId<Entry>(entries: readonly Entry[], idOf: (entry: Entry) => string): Entry[] {
  return entries.toSorted((a, b) => (idOf(a) < idOf(b) ? -1 : 1))
}
