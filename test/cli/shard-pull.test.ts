/** `dllm shard pull` as people and scripts run it: from one miner, by name and by hash, whole and in part. */
import { readdir, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Home } from '../../src/app/home.ts'
import { openModelStore } from '../../src/app/model-store.ts'
import { filesOf, isHere } from '../../src/app/shards/model-files.ts'
import type { ShardPullResult } from '../../src/app/swarm/run-shard-pull.ts'
import { createSwarmHomes, MODEL_NAME } from '../swarm-homes.ts'
import { createDllm, type Outcome, type Started } from './dllm.ts'

const homes = await createSwarmHomes(8)
const dllm = createDllm()
let miner: Started
let address: string

async function homeWith(home: Home, bootstrap: readonly string[]): Promise<Home> {
  await home.folder('networks')
  const network = { id: 'lab', bootstrap, mdns: false, dht: false }
  await writeFile(home.file('networks', 'lab.json'), JSON.stringify(network))
  return home
}

function pull(home: Home, ...args: readonly string[]): Promise<Outcome> {
  return dllm.run(['shard', 'pull', '--home', home.path, '--network', 'lab', ...args])
}

/** Files of the model that are here, by their names. */
function filesHere(home: Home): string[] {
  const model = openModelStore({ home: home.path }).find(MODEL_NAME)
  return filesOf(model.manifest)
    .filter((file) => isHere(model, file))
    .map(({ name }) => name)
}

beforeAll(async () => {
  const home = await homeWith(await homes.full(), [])
  const place = ['--home', home.path, '--network', 'lab', '--listen', '/ip4/127.0.0.1/tcp/0']
  miner = dllm.start(['mine', ...place, '--model', MODEL_NAME, '--segments', '1', '--threads', '1'])
  const said = await miner.printed(/Listening on (\S+)\n/)
  address = /Listening on (\S+)\n/.exec(said)![1]!
})
afterAll(async () => {
  miner?.child.kill('SIGKILL')
  await miner?.ended
  await homes.close()
  await dllm.cleanUp()
})

test('segments are fetched with the tokenizer, then the rest, then nothing', async () => {
  const home = await homeWith(await homes.empty(), [address])
  const first = await pull(home, MODEL_NAME, '--segments', '2-3')
  expect(first).toMatchObject({ code: 0, stderr: '' })
  expect(first.stdout).toMatch(/^Fetched [\d.]+ MiB from 1 peer\.\n$/)
  expect(filesHere(home)).toEqual(['segment-001.shard', 'segment-002.shard', 'tokenizer.json', 'tokenizer_config.json'])

  const rest = await pull(home, homes.model.hash, '--json', '--down-mib-s', '1000')
  const lines = rest.stdout.trimEnd().split('\n')
  const events = lines.map((line) => JSON.parse(line) as { readonly type: string; readonly doneBytes: number })
  expect({ code: rest.code, stderr: rest.stderr }).toEqual({ code: 0, stderr: '' })
  expect(events.slice(0, -1).every(({ type }) => type === 'fetching')).toBe(true)
  const last = events.at(-1) as unknown as ShardPullResult
  const segments = homes.model.manifest.segments.length
  expect(last).toMatchObject({ type: 'end', model: MODEL_NAME, hash: homes.model.hash, firstSegment: 0, banned: 0 })
  expect(last).toMatchObject({ lastSegment: segments, keptBytes: 0, from: [{ bytes: last.totalBytes }] })
  expect(events.at(-2)!.doneBytes).toBe(last.totalBytes)
  expect(filesHere(home)).toHaveLength(segments + 2)
  expect((await readdir(`${home.path}/shards`)).filter((name) => /\.(part|have|lock)$/.test(name))).toEqual([])

  expect(await pull(home, MODEL_NAME)).toEqual({
    ...{ code: 0, stderr: '' },
    stdout: `Segments 1-${segments} of ${MODEL_NAME} and its tokenizer are here already.\n`,
  })
})

test.each<[string, readonly string[], number, string]>([
  ['a model that nobody knows', ['nosuch'], 1, 'SWARM_NO_MODEL'],
  ['segments that it does not have', [MODEL_NAME, '--segments', '7-99'], 2, 'USAGE'],
  ['an address that is none', [MODEL_NAME, '--bootstrap', 'nowhere'], 2, 'USAGE'],
  ['a bound of nothing', [MODEL_NAME, '--down-mib-s', '0'], 2, 'USAGE'],
])('refuses %s', async (_what, args, code, name) => {
  const home = await homeWith(await homes.empty(), [address])
  const ended = await pull(home, ...args)
  expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code, stderr: expect.stringContaining(`(${name})`) })
})

test('a model that is here in part is not looked for on the local network', async () => {
  const home = await homeWith(await homes.empty(), [address])
  await pull(home, MODEL_NAME, '--segments', '1')
  const ended = await dllm.run(['shard', 'pull', MODEL_NAME, '--home', home.path])
  expect(ended).toMatchObject({ code: 3, stderr: expect.stringContaining('The local network is this machine alone') })
})
