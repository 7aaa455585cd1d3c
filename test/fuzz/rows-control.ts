/**
 * Decoders of the control port and of small files beside the node.
 * @module
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { loadConfig } from '../../src/app/config.ts'
import { isAuthorized, readCookie } from '../../src/app/control/control-cookie.ts'
import { parseJson, toJson } from '../../src/app/control/json-text.ts'
import { readNodeFile } from '../../src/app/control/node-file.ts'
import {
  type Params,
  readAddress,
  readAddresses,
  readBytes,
  readFlag,
  readGrains,
  readHash,
  readHeight,
  readInteger,
  readNumbers,
  readOptional,
  readParams,
  readText,
} from '../../src/app/control/params.ts'
import { resultOf } from '../../src/app/control/replies.ts'
import { readGroup } from '../../src/app/devnet/devnet-state.ts'
import { readLocalChain } from '../../src/app/devnet/local-chain-state.ts'
import { readMinerAccounts } from '../../src/app/devnet/miner-accounts.ts'
import type { Home } from '../../src/app/home.ts'
import { readMode } from '../../src/app/mining/mode.ts'
import { parseVersionRecords } from '../../src/app/mining/version-records.ts'
import { loadNetwork } from '../../src/app/networks.ts'
import { loadValidatorKeys } from '../../src/app/node/validator-keys.ts'
import { CONTROL_LIMITS } from '../../src/base/chain-limits.ts'
import { INPUT_LIMITS } from '../../src/base/limits.ts'
import { addressOfAccount } from '../../src/core/fields.ts'
import { person } from '../chain-accounts.ts'
import { say } from '../unit/app/control/rpc-world.ts'
import { type Decoder, decoder, utf8 } from './decoder.ts'

const folder = mkdtempSync(join(tmpdir(), 'dllm-fuzz-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
const home: Home = {
  path: folder,
  file: (...names) => join(folder, ...names),
  folder: async (...names) => join(folder, ...names),
}

const json = (value: unknown): Uint8Array => utf8(JSON.stringify(value))
const PEER = '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5'
const MINER = { name: 'm', pid: 9, peer: PEER, addresses: ['/ip4/127.0.0.1/tcp/1'], firstSegment: 0, lastSegment: 1 }

/** A decoder that reads a file: the file gets the bytes. */
function fileRow(
  parts: Omit<Parameters<typeof decoder>[0], 'decode' | 'isText' | 'encode' | 'values'> & {
    readonly path: readonly string[]
    readonly read: () => Promise<unknown>
  },
): Decoder {
  const { path, read, ...rest } = parts
  const file = home.file(...path)
  mkdirSync(dirname(file), { recursive: true })
  return decoder<unknown>({
    cost: 3,
    ...rest,
    isText: true,
    decode: (bytes) => {
      writeFileSync(file, bytes)
      return read()
    },
  })
}

const PARAM_FIELDS = ['grains', 'integer', 'height', 'address', 'hash', 'bytes', 'text', 'flag', 'numbers', 'addresses']
const PARAMS = {
  ...{ grains: '15', integer: 3, height: 9, address: addressOfAccount(person(1).id, 'local') },
  ...{ hash: 'ab'.repeat(32), bytes: '0102', text: 'words', flag: true, numbers: [2, 4] },
  addresses: [1, 2].map((number) => addressOfAccount(person(number).id, 'local')),
}

function readAllParams(bytes: Uint8Array): unknown {
  const parsed = parseJson(bytes, CONTROL_LIMITS.depthMax)
  // As handleRpc hands them over: nothing, a list or an object.
  if (parsed.type !== 'value' || typeof parsed.value !== 'object') return undefined
  const params: Params = readParams(parsed.value, PARAM_FIELDS)
  return [
    readOptional(params, 'grains', readGrains),
    readOptional(params, 'integer', (found, name) => readInteger(found, name, { min: -5, max: 5 })),
    readOptional(params, 'height', readHeight),
    readOptional(params, 'address', (found, name) => readAddress(found, name, 'local')),
    readOptional(params, 'hash', readHash),
    readOptional(params, 'bytes', (found, name) => readBytes(found, name, 4)),
    readOptional(params, 'text', (found, name) => readText(found, name, 9)),
    readOptional(params, 'flag', readFlag),
    readOptional(params, 'numbers', (found, name) => readNumbers(found, name, { count: 3, max: 9 })),
    readOptional(params, 'addresses', (found, name) => readAddresses(found, name, { count: 3, network: 'local' })),
  ]
}

const PORT_ROWS: readonly Decoder[] = [
  decoder({
    name: 'json-rpc',
    covers: ['app/control/json-rpc.ts:handleRpc', 'app/control/json-text.ts:parseJson'],
    samples: () => [
      json({ jsonrpc: '2.0', method: 'subtract', params: [9, 2], id: 1 }),
      json({ jsonrpc: '2.0', method: 'dllm_pay', params: { amount: '15' }, id: 'x' }),
      json([
        { jsonrpc: '2.0', method: 'dllm_count', params: { upTo: 3 }, id: null },
        { jsonrpc: '2.0', method: 'sum' },
      ]),
    ],
    decode: async (bytes) => {
      const { text, bugs } = await say(bytes)
      // Every line that the node says is JSON, whatever it was asked.
      for (const line of text.split('\n').filter(Boolean)) JSON.parse(line)
      return bugs.length
    },
    isText: true,
    codes: [],
    bytesMax: CONTROL_LIMITS.bodyBytesMax,
    cost: 2,
  }),
  decoder({
    name: 'json-text',
    covers: [],
    samples: () => [json({ a: [1, 'two', null, { b: false }] })],
    decode: (bytes) => {
      const parsed = parseJson(bytes, CONTROL_LIMITS.depthMax)
      if (parsed.type === 'value' && isWritable(parsed.value)) toJson(parsed.value)
      return parsed.type
    },
    isText: true,
    codes: [],
    bytesMax: CONTROL_LIMITS.bodyBytesMax,
  }),
  decoder({
    name: 'rpc-params',
    covers: [
      ...['readParams', 'readOptional', 'readGrains', 'readInteger', 'readHeight', 'readAddress'],
      ...['readHash', 'readBytes', 'readText', 'readFlag', 'readNumbers', 'readAddresses'],
    ].map((name) => `app/control/params.ts:${name}`),
    samples: () => [json(PARAMS), json(Object.values(PARAMS))],
    decode: readAllParams,
    isText: true,
    codes: ['PARAM_'],
    bytesMax: CONTROL_LIMITS.bodyBytesMax,
  }),
  decoder({
    name: 'rpc-reply',
    covers: ['app/control/replies.ts:resultOf'],
    samples: () => [json({ jsonrpc: '2.0', id: 1, result: { height: 3 } })],
    near: () => [
      json({ jsonrpc: '2.0', id: 1, error: { code: -32001, message: 'No.', data: { code: 'NO', details: { a: 1 } } } }),
    ],
    decode: (bytes) => resultOf(bytes, 200),
    isText: true,
    // A code of the node's own is anything that looks like one.
    codes: [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'],
    bytesMax: CONTROL_LIMITS.bodyBytesMax,
  }),
  decoder({
    name: 'authorization',
    covers: ['app/control/control-cookie.ts:isAuthorized'],
    samples: () => [utf8(`Bearer ${'ab'.repeat(32)}`)],
    decode: (bytes) => isAuthorized(new TextDecoder().decode(bytes), 'ab'.repeat(32)),
    isText: true,
    codes: [],
    bytesMax: CONTROL_LIMITS.headerBytesMax,
  }),
]

/** Whether JSON text can hold it again: it has no infinite numbers. */
function isWritable(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  return typeof value !== 'object' || value === null || Object.values(value).every(isWritable)
}

const FILES: readonly Decoder[] = [
  fileRow({
    ...{ name: 'node-file', covers: ['app/control/node-file.ts:readNodeFile'], path: ['node.json'] },
    samples: () => [json({ version: 1, pid: 4, port: 8_000, network: 'local', startedMs: 1_700_000_000_000 })],
    read: () => readNodeFile(folder),
    codes: ['NODE_FILE_BAD'],
    bytesMax: 2 * CONTROL_LIMITS.nodeFileBytesMax,
  }),
  fileRow({
    ...{ name: 'cookie', covers: ['app/control/control-cookie.ts:readCookie'], path: ['control.cookie'] },
    samples: () => [utf8('ab'.repeat(32))],
    read: () => readCookie(folder),
    codes: ['NODE_COOKIE_UNREADABLE'],
    bytesMax: 4_096,
  }),
  fileRow({
    ...{ name: 'config', covers: ['app/config.ts:loadConfig'], path: ['config.json'] },
    samples: () => [json({ network: 'local', threads: 3, listen: '/ip4/0.0.0.0/tcp/0' })],
    read: () => loadConfig({ home, env: {} }),
    codes: ['CONFIG_'],
    bytesMax: INPUT_LIMITS.configFileBytesMax,
  }),
  fileRow({
    ...{ name: 'network-file', covers: ['app/networks.ts:loadNetwork'], path: ['networks', 'home.json'] },
    samples: () => [json({ id: 'home', bootstrap: ['/ip4/192.0.2.1/tcp/4001'], dht: true })],
    read: () => loadNetwork(home, 'home'),
    codes: ['NETWORK_BAD_FILE'],
    bytesMax: 256 * 1024,
  }),
  fileRow({
    ...{ name: 'devnet-group', covers: ['app/devnet/devnet-state.ts:readGroup'], path: ['devnet', 'tiny.json'] },
    samples: () => [json({ model: 'tiny', hash: 'ab'.repeat(32), threads: 1, miners: [MINER] })],
    read: () => readGroup(home, 'tiny'),
    codes: ['DEVNET_BAD_STATE'],
    bytesMax: 64 * 1024,
  }),
  fileRow({
    name: 'local-chain',
    covers: ['app/devnet/local-chain-state.ts:readLocalChain'],
    path: ['devnet', 'chain', 'state.json'],
    samples: () => [json({ validators: [{ name: 'v', pid: 9, peer: PEER, addresses: ['/ip4/127.0.0.1/tcp/1'] }] })],
    read: () => readLocalChain(home),
    codes: ['DEVNET_BAD_STATE'],
    bytesMax: 64 * 1024,
  }),
  fileRow({
    name: 'miner-accounts',
    covers: ['app/devnet/miner-accounts.ts:readMinerAccounts'],
    path: ['devnet', 'chain', 'miner-accounts.json'],
    samples: () => [json({ 'local-genesis-1': 100, 'local-genesis-2': 101 })],
    read: () => readMinerAccounts(home),
    codes: [],
    bytesMax: 4_096,
  }),
  fileRow({
    ...{ name: 'miner-mode', covers: ['app/mining/mode.ts:readMode'], path: ['mining', 'mode.json'] },
    samples: () => [json({ mode: 'run' }), json({ mode: 'pause' }), json({ mode: 'drain' })],
    read: () => readMode(home.file('mining')),
    codes: [],
    bytesMax: 4_096,
  }),
  decoder({
    name: 'version-records',
    covers: ['app/mining/version-records.ts:parseVersionRecords'],
    samples: () => [json([{ model: '01'.repeat(32), name: 'old', successor: '02'.repeat(32) }]), json([])],
    decode: (bytes) => parseVersionRecords(new TextDecoder().decode(bytes)),
    codes: [],
    bytesMax: 4_096,
  }),
  fileRow({
    ...{ name: 'validator-key', covers: ['app/node/validator-keys.ts:loadValidatorKeys'], path: ['validator.key'] },
    samples: () => [utf8(`dllm-validator-1 ${'07'.repeat(32)}\n`)],
    read: () => loadValidatorKeys(home.file('validator.key')),
    codes: ['VALIDATOR_KEY_BAD'],
    bytesMax: 4_096,
    cost: 20,
  }),
]

export const CONTROL_ROWS: readonly Decoder[] = [...PORT_ROWS, ...FILES]
