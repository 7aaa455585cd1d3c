/**
 * Decoders of text that people write, paste or type.
 * @module
 */
import fc from 'fast-check'
import {
  parseAccount,
  parseBlockName,
  parseChanges,
  parseCuts,
  parseLeaseId,
  parseMemo,
  parseProposalNumber,
  parseTransactionId,
} from '../../src/app/chain/arguments.ts'
import { parseFeeWish } from '../../src/app/chain/send-transaction.ts'
import { createKeystore, parseKeystore } from '../../src/app/keystore.ts'
import { entropyToWords, parseWords } from '../../src/app/mnemonic.ts'
import { parseNetwork } from '../../src/app/networks.ts'
import { grains, hash } from '../../src/base/brand.ts'
import { CHAIN_LIMITS, STORE_LIMITS } from '../../src/base/chain-limits.ts'
import { INPUT_LIMITS, WALLET_LIMITS } from '../../src/base/limits.ts'
import { addressOfHash, decodeAddress, decodeAddressOn } from '../../src/core/address.ts'
import { exportSignState, readInterchange } from '../../src/core/consensus/sign-interchange.ts'
import { addressOfAccount } from '../../src/core/fields.ts'
import { formatGenesis, parseGenesis, readGenesis } from '../../src/core/genesis-file.ts'
import { NETWORK_KINDS } from '../../src/core/network-kind.ts'
import { formatDllm, parseDllm, parseGrains } from '../../src/core/units.ts'
import { person } from '../chain-accounts.ts'
import { type Decoder, textDecoder } from './decoder.ts'
import { anyU64, bytesOf } from './fields.ts'
import { samples } from './samples.ts'

/** A line that a person types; shells take more, nobody reads it. */
const LINE_BYTES_MAX = 16 * 1024
const KEYSTORE = JSON.stringify(
  await createKeystore({ words: entropyToWords(new Uint8Array(16).fill(3)), passphrase: '' }, 'password', {
    random: { bytes: (count) => new Uint8Array(count).fill(5) },
    description: 'fuzz',
    cost: { n: 2, r: 1, p: 1 },
  }),
)
const NETWORK = {
  ...{ id: 'home', bootstrap: ['/ip4/192.0.2.1/tcp/4001'], mdns: true, dht: false },
  allow: ['12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5'],
}
const KEY = person(1).consensus.publicKey
/** Stands in files of the corpus: it must not change with the parameters of a genesis. */
const INTERCHANGE_NETWORK = hash('2acf6dd73c79c8e1241c289c92a096d26aea0722615e010b121490587cd08412')
const address = addressOfAccount(person(1).id, 'local')

const FILES: readonly Decoder[] = [
  textDecoder({
    name: 'genesis',
    covers: ['core/genesis-file.ts:parseGenesis'],
    samples: () => [formatGenesis(samples().genesis)],
    decode: parseGenesis,
    encode: formatGenesis,
    codes: ['GENESIS_'],
    bytesMax: CHAIN_LIMITS.genesisFileBytesMax,
    // Two proofs of each key, 50 ms each, where all else is valid.
    cost: 4,
  }),
  textDecoder({
    name: 'network',
    covers: ['app/networks.ts:parseNetwork', 'core/genesis-file.ts:readGenesis'],
    samples: () => [JSON.stringify(NETWORK)],
    near: () => [JSON.stringify({ ...NETWORK, genesis: { name: 'home', kind: 'local', timeMs: 1, accounts: [] } })],
    decode: (text) => {
      const network = parseNetwork(jsonOr(text), 'home', 'networks/home.json')
      if (network.genesis !== undefined) readGenesis(network.genesis)
      return network
    },
    codes: ['NETWORK_BAD_FILE', 'GENESIS_BAD_FIELD'],
    bytesMax: 256 * 1024,
  }),
  textDecoder({
    name: 'interchange',
    covers: ['core/consensus/sign-interchange.ts:readInterchange'],
    samples: () => [
      exportSignState({
        ...{ networkId: INTERCHANGE_NETWORK, publicKey: KEY },
        last: { height: 7, round: 1, step: 'prevote', signed: undefined },
      }),
    ],
    decode: (text) => readInterchange(text, { networkId: INTERCHANGE_NETWORK, publicKey: KEY }),
    codes: ['SIGN_INTERCHANGE_INVALID', 'SIGN_STATE_FOREIGN'],
    bytesMax: STORE_LIMITS.interchangeFileBytesMax,
  }),
  textDecoder({
    name: 'keystore',
    covers: ['app/keystore.ts:parseKeystore', 'app/keystore-crypto.ts:parseCrypto'],
    samples: () => [KEYSTORE],
    decode: parseKeystore,
    encode: (keystore) => JSON.stringify(keystore),
    codes: ['KEYSTORE_DAMAGED', 'KEYSTORE_UNSUPPORTED', 'KEYSTORE_TOO_COSTLY'],
    bytesMax: INPUT_LIMITS.keystoreFileBytesMax,
    cost: 2,
  }),
  textDecoder({
    name: 'words',
    covers: ['app/mnemonic.ts:parseWords'],
    samples: () => [entropyToWords(new Uint8Array(16).fill(3)).join(' ')],
    near: () => ['abandon abandn abandon', `abandon ${'x'.repeat(4_000)}`],
    decode: parseWords,
    encode: (words) => words.join(' '),
    values: fc.constantFrom(16, 20, 24, 28, 32).chain(bytesOf).map(entropyToWords),
    codes: ['MNEMONIC_'],
    bytesMax: WALLET_LIMITS.secretInputBytesMax,
    // A word that is in no list is compared with all 2,048.
    cost: 10,
  }),
]

const LINES: readonly Decoder[] = [
  textDecoder({
    name: 'address',
    covers: ['core/address.ts:decodeAddress', 'core/address.ts:decodeAddressOn', 'app/chain/arguments.ts:parseAccount'],
    samples: () =>
      NETWORK_KINDS.map((kind) => addressOfAccount(person(1).id, kind)).flatMap((each) => [each, each.toUpperCase()]),
    decode: (text) => {
      const decoded = decodeAddress(text)
      decodeAddressOn(text, decoded.network)
      parseAccount(text, decoded.network)
      return decoded
    },
    encode: ({ network, hash }) => addressOfHash(hash, network),
    values: fc.record({ network: fc.constantFrom(...NETWORK_KINDS), hash: bytesOf(20) }),
    codes: ['ADDRESS_'],
    believes: (bytes) => isAddress(new TextDecoder().decode(bytes)),
    bytesMax: LINE_BYTES_MAX,
  }),
  textDecoder({
    name: 'dllm',
    covers: ['core/units.ts:parseDllm'],
    samples: () => ['12.25', '0.000000001', '18446744073.709551615'],
    decode: parseDllm,
    encode: formatDllm,
    values: anyU64.map(grains),
    codes: ['AMOUNT_'],
    bytesMax: LINE_BYTES_MAX,
  }),
  textDecoder({
    name: 'grains',
    covers: ['core/units.ts:parseGrains', 'app/chain/send-transaction.ts:parseFeeWish'],
    samples: () => ['12', '18446744073709551615', '007'],
    decode: (text) => {
      parseFeeWish({ tip: text, 'max-fee': text, nonce: text })
      return parseGrains(text)
    },
    encode: String,
    values: anyU64.map(grains),
    codes: ['AMOUNT_'],
    bytesMax: LINE_BYTES_MAX,
  }),
  textDecoder({
    name: 'block-name',
    covers: ['app/chain/arguments.ts:parseBlockName'],
    samples: () => ['1204', 'ab'.repeat(32), 'AB'.repeat(32)],
    decode: parseBlockName,
    encode: String,
    codes: ['BLOCK_NAME_BAD'],
    bytesMax: LINE_BYTES_MAX,
  }),
  textDecoder({
    name: 'transaction-id',
    covers: ['app/chain/arguments.ts:parseTransactionId'],
    samples: () => ['ab'.repeat(32)],
    decode: parseTransactionId,
    encode: String,
    codes: ['TRANSACTION_ID_BAD'],
    bytesMax: LINE_BYTES_MAX,
  }),
  textDecoder({
    name: 'lease-id',
    covers: ['app/chain/arguments.ts:parseLeaseId'],
    samples: () => ['ab'.repeat(32)],
    decode: parseLeaseId,
    encode: String,
    codes: ['LEASE_ID_BAD'],
    bytesMax: LINE_BYTES_MAX,
  }),
  textDecoder({
    name: 'cuts',
    covers: ['app/chain/arguments.ts:parseCuts'],
    samples: () => ['', '2,4', Array.from({ length: 15 }, (_, index) => index + 2).join(',')],
    decode: parseCuts,
    codes: ['CUTS_BAD'],
    bytesMax: LINE_BYTES_MAX,
  }),
  textDecoder({
    name: 'memo',
    covers: ['app/chain/arguments.ts:parseMemo'],
    samples: () => ['for the coffee'],
    decode: parseMemo,
    codes: ['MEMO_TOO_LONG'],
    bytesMax: LINE_BYTES_MAX,
  }),
  textDecoder({
    name: 'proposal-number',
    covers: ['app/chain/arguments.ts:parseProposalNumber'],
    samples: () => ['0', '15'],
    decode: parseProposalNumber,
    encode: String,
    codes: ['PROPOSAL_NUMBER_BAD'],
    bytesMax: LINE_BYTES_MAX,
  }),
  textDecoder({
    name: 'changes',
    covers: ['app/chain/arguments.ts:parseChanges'],
    samples: () => ['commitMs=500', 'voteMs=9 commitMs=18446744073709551615'],
    decode: (text) => parseChanges(text.split(' ')),
    encode: (changes) => changes.map(({ name, value }) => `${name}=${value}`).join(' '),
    codes: ['PARAMETER_', 'AMOUNT_'],
    bytesMax: LINE_BYTES_MAX,
  }),
]

export const TEXT_ROWS: readonly Decoder[] = [...FILES, ...LINES]

/** Whether it is the address of the samples, on any network. */
function isAddress(text: string): boolean {
  try {
    const { hash } = decodeAddress(text)
    return addressOfHash(hash, 'local') === address
  } catch {
    return false
  }
}

/** What the caller hands over: parsed JSON, which it made sure of. */
function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
