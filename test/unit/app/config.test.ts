import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { configPath, loadConfig, removeSetting, settingKey, storeSetting } from '../../../src/app/config.ts'
import { type Home, openHome } from '../../../src/app/home.ts'
import { listNetworks, loadNetwork, parseNetwork } from '../../../src/app/networks.ts'

let root: string
let home: Home
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'dllm-config-'))
  home = await openHome({ path: join(root, 'home') })
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

describe('settings', () => {
  test('come from the flag, else the environment, else the file, else the default', async () => {
    const model = async (env: Record<string, string>, flag?: string): Promise<unknown[]> => {
      const { settings, sources } = await loadConfig({ home, env, flags: { model: flag } })
      return [settings.model, sources.model]
    }
    expect(await model({})).toEqual(['genesis', 'default'])
    await storeSetting(home, 'model', 'from-file')
    expect(await model({})).toEqual(['from-file', 'file'])
    expect(await model({ DLLM_MODEL: 'from-env' })).toEqual(['from-env', 'environment'])
    expect(await model({ DLLM_MODEL: 'from-env' }, 'from-flag')).toEqual(['from-flag', 'flag'])
    expect(await model({ DLLM_MODEL: '' })).toEqual(['from-file', 'file'])
    await removeSetting(home, 'model')
    expect(await model({})).toEqual(['genesis', 'default'])
  })

  test('are stored as what they are', async () => {
    await storeSetting(home, 'threads', '8')
    await storeSetting(home, 'listen', '/ip6/::1/tcp/4001')
    expect(JSON.parse(readFileSync(configPath(home), 'utf8'))).toEqual({ threads: 8, listen: '/ip6/::1/tcp/4001' })
  })

  test.each([
    ['threads', 'many'],
    ['threads', '-1'],
    ['threads', '513'],
    ['threads', '1.5'],
    ['shardGib', '-1'],
    ['shardGib', '1048577'],
    ['model', ''],
    ['model', '../genesis'],
    ['model', '.hidden'],
    ['model', 'x'.repeat(65)],
    ['network', 'a/b'],
    ['listen', 'localhost:4001'],
    ['listen', '/ip4/127.0.0.1/tcp/65536'],
    ['listen', '/ip4/127.0.0.1/udp/4001'],
    ['listen', '/ip4/127.0.0.1/tcp/1/p2p/12D3KooW'],
  ] as const)('refuse %s = "%s" and keep the file', async (key, value) => {
    await storeSetting(home, 'threads', '2')
    await expect(storeSetting(home, key, value)).rejects.toMatchObject({ code: 'CONFIG_BAD_VALUE', details: { key } })
    expect(JSON.parse(readFileSync(configPath(home), 'utf8'))).toEqual({ threads: 2 })
  })

  test('name the variable of the environment that is wrong', async () => {
    await expect(loadConfig({ home, env: { DLLM_THREADS: 'x' } })).rejects.toMatchObject({
      code: 'CONFIG_BAD_VALUE',
      details: { key: 'threads', from: 'DLLM_THREADS' },
    })
  })

  test('that do not exist are refused with those that do', () => {
    expect(() => settingKey('modle')).toThrow(/"modle".*network, model, wallet/)
  })

  test.each([
    ['not JSON', '{', 'CONFIG_BAD_FILE'],
    ['no object', '[]', 'CONFIG_BAD_FILE'],
    ['null', 'null', 'CONFIG_BAD_FILE'],
    ['too large', `{"model":"${' '.repeat(300_000)}"}`, 'CONFIG_BAD_FILE'],
    ['an unknown key', '{"modle":"x"}', 'CONFIG_UNKNOWN_KEY'],
    ['a wrong type', '{"threads":"8"}', 'CONFIG_BAD_VALUE'],
    ['a key of every object', '{"__proto__":1}', 'CONFIG_UNKNOWN_KEY'],
  ])('refuse a file that is or has %s', async (_what, text, code) => {
    writeFileSync(configPath(home), text)
    await expect(loadConfig({ home, env: {} })).rejects.toMatchObject({ code })
  })
})

describe('networks', () => {
  const put = (name: string, value: unknown): void => {
    mkdirSync(home.file('networks'), { recursive: true })
    writeFileSync(home.file('networks', name), typeof value === 'string' ? value : JSON.stringify(value))
  }

  test('are local and the files of the folder', async () => {
    put('lab.json', { id: 'lab', bootstrap: ['/dns4/a.example/tcp/1/p2p/12D3KooW'], mdns: true })
    put('notes.txt', 'not a network')
    put('local.json', { id: 'local', mdns: true })
    expect(await listNetworks(home)).toEqual({
      networks: [
        { id: 'local', bootstrap: [], mdns: false, dht: false },
        { id: 'lab', bootstrap: ['/dns4/a.example/tcp/1/p2p/12D3KooW'], mdns: true, dht: false },
      ],
      damaged: [],
    })
  })

  test('are listed beside those that cannot be used, which are named with the reason', async () => {
    put('lab.json', { id: 'lab' })
    put('cut.json', '{"id":')
    put('other.json', { id: 'another' })
    mkdirSync(home.file('networks', 'folder.json'))
    const { networks, damaged } = await listNetworks(home)
    expect(networks.map(({ id }) => id)).toEqual(['local', 'lab'])
    expect(damaged).toEqual([
      { name: 'cut', code: 'NETWORK_BAD_FILE', message: expect.stringContaining('cut.json is not valid JSON.') },
      { name: 'folder', code: 'NETWORK_BAD_FILE', message: expect.stringContaining('folder.json cannot be read.') },
      {
        name: 'other',
        code: 'NETWORK_BAD_FILE',
        message: expect.stringContaining('other.json must have the id "other"'),
      },
    ])
  })

  test('that nobody knows are refused with the known ones', async () => {
    put('lab.json', { id: 'lab' })
    await expect(loadNetwork(home, 'labb')).rejects.toThrow(/"labb".*local, lab/)
    await expect(loadNetwork(home, '../config')).rejects.toMatchObject({ code: 'NETWORK_UNKNOWN' })
  })

  test('of broken files are refused with the path', async () => {
    put('lab.json', '{')
    await expect(loadNetwork(home, 'lab')).rejects.toMatchObject({
      code: 'NETWORK_BAD_FILE',
      details: { path: home.file('networks', 'lab.json') },
    })
  })

  test.each([
    ['no object', []],
    ['another id', { id: 'other' }],
    ['no id', {}],
    ['an unknown field', { id: 'lab', relay: true }],
    ['a text for a switch', { id: 'lab', mdns: 'yes' }],
    ['a number for a switch', { id: 'lab', dht: 1 }],
    ['a text for addresses', { id: 'lab', bootstrap: '/ip4/1.2.3.4/tcp/1' }],
    ['an address without a port', { id: 'lab', bootstrap: ['/ip4/1.2.3.4'] }],
    ['an address that is too long', { id: 'lab', bootstrap: [`/dns4/${'a'.repeat(300)}/tcp/1`] }],
    ['too many addresses', { id: 'lab', bootstrap: Array(65).fill('/ip4/1.2.3.4/tcp/1') }],
  ])('refuse %s', (_what, value) => {
    expect(() => parseNetwork(value, 'lab', 'lab.json')).toThrow(expect.objectContaining({ code: 'NETWORK_BAD_FILE' }))
  })
})
