/**
 * A miner with an empty disk joins a network of four, while one of them dies, one serves damaged chunks, and it is itself killed twice on the way; then it
 * serves alone. DLLM_JOIN_MB: size of the model.
 */
import { open, readdir, writeFile } from 'node:fs/promises'
import { afterAll, expect, test } from 'vitest'
import type { Home } from '../../src/app/home.ts'
import { openModelStore } from '../../src/app/model-store.ts'
import { pathOfFile } from '../../src/app/shards/model-files.ts'
import { shardsFolder } from '../../src/app/shards/shard-folder.ts'
import { CHUNK_BYTES } from '../../src/ml/chunk-tree.ts'
import { createSwarmHomes, MODEL_NAME } from '../swarm-homes.ts'
import { createDllm, type Started } from './dllm.ts'

const MEGABYTES = Number(process.env['DLLM_JOIN_MB'] ?? 24)
const MIB_PER_SECOND = Math.max(3, Math.round(MEGABYTES / 12))
/** Of what comes twice: of each run the damaged chunk, over the link and over the channel, and what was on its way at its end. */
const LOST_CHUNKS = 3 * 4

const NO_RING = 3

const homes = await createSwarmHomes(MEGABYTES)
const dllm = createDllm()
const running = new Set<Started>()
afterAll(async () => {
  for (const { child } of running) child.kill('SIGKILL')
  await Promise.all([...running].map(({ ended }) => ended))
  await homes.close()
  await dllm.cleanUp()
})

interface Fetching {
  readonly type: string
  readonly doneBytes: number
  readonly totalBytes: number
  readonly keptBytes: number
  readonly receivedBytes: number
  readonly banned: number
  readonly from: readonly { readonly peer: string; readonly bytes: number }[]
}

interface Serving {
  readonly type: string
  readonly addresses: readonly string[]
}

async function homeWith(home: Home, bootstrap: readonly string[]): Promise<Home> {
  await home.folder('networks')
  const network = { id: 'lab', bootstrap, mdns: false, dht: false }
  await writeFile(home.file('networks', 'lab.json'), JSON.stringify(network))
  return home
}

function mine(home: Home, ...more: string[]): Started {
  const place = ['--home', home.path, '--network', 'lab', '--listen', '/ip4/127.0.0.1/tcp/0']
  const started = dllm.start(['mine', ...place, '--model', MODEL_NAME, '--threads', '1', '--json', ...more])
  running.add(started)
  return started
}

async function kill(started: Started): Promise<void> {
  started.child.kill('SIGKILL')
  await started.ended
  running.delete(started)
}

function eventsOf<Event extends { readonly type: string }>(text: string, type: Event['type']): Event[] {
  const lines = text.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'))
  return lines.map((line) => JSON.parse(line) as Event).filter((event) => event.type === type)
}

async function serving(started: Started): Promise<string> {
  const said = await started.printed(/"type":"serving".*\n/)
  return eventsOf<Serving>(said, 'serving')[0]!.addresses[0]!
}

/** Waits until so much is here, and gives all that was said so far. */
async function untilDone(started: Started, share: number): Promise<Fetching[]> {
  let from = 0
  for (;;) {
    const said = await started.printed(/"type":"fetching".*\n/, from)
    from = said.length
    const events = eventsOf<Fetching>(said, 'fetching')
    const { doneBytes, totalBytes } = events.at(-1)!
    if (doneBytes >= share * totalBytes) return events
  }
}

/** A byte of every chunk of every shard. */
async function damage(home: Home): Promise<void> {
  const model = openModelStore({ home: home.path }).find(MODEL_NAME)
  for (const { shard } of model.manifest.segments) {
    const file = await open(pathOfFile(model, { ...shard, name: shard.file }), 'r+')
    for (let at = 777; at < shard.bytes; at += CHUNK_BYTES) await file.write(Uint8Array.of(0x55), 0, 1, at)
    await file.close()
  }
}

async function say(home: Home): Promise<string> {
  const flags = ['--network', 'lab', '--model', MODEL_NAME, '--temperature', '0', '--max-tokens', '6', '--json']
  const { code, stdout, stderr } = await dllm.run(['chat', 'Once upon a time', '--home', home.path, ...flags])
  // Miners hear of each other every ten seconds: until then there is no ring.
  if (code === NO_RING) return say(home)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return eventsOf<{ readonly type: string; readonly text: string }>(stdout, 'end')[0]!.text
}

test('a miner joins with an empty disk and serves exactly what the network served', async () => {
  const segments = homes.model.manifest.segments.length
  const runs = Array.from({ length: 4 }, (_, part) => {
    const [first, end] = [Math.floor((part * segments) / 4), Math.floor(((part + 1) * segments) / 4)]
    return `${first + 1}-${end}`
  })
  const first = await homes.full()
  const miners = [mine(await homeWith(first, []), '--segments', runs[0]!)]
  const bootstrap = [await serving(miners[0]!)]
  const damaged = await homeWith(await homes.full(), bootstrap)
  miners.push(mine(damaged, '--segments', runs[1]!))
  for (const run of runs.slice(2)) miners.push(mine(await homeWith(await homes.full(), bootstrap), '--segments', run))
  await Promise.all(miners.map(serving))
  const client = await homeWith(await homes.empty(), bootstrap)
  const expected = await say(client)

  const home = await homeWith(await homes.empty(), bootstrap)
  const join = (): Started => mine(home, '--down-mib-s', String(MIB_PER_SECOND))
  const fetched: Fetching[] = []
  let joiner = join()
  await untilDone(joiner, 0.05)
  await Promise.all([damage(damaged), kill(miners[3]!)])
  fetched.push((await untilDone(joiner, 0.3)).at(-1)!)
  await kill(joiner)
  joiner = join()
  fetched.push((await untilDone(joiner, 0.65)).at(-1)!)
  await kill(joiner)
  joiner = join()
  const address = await serving(joiner)
  // Where the disk was slow, the second one may have come to the end before it was killed.
  fetched.push(...eventsOf<Fetching>(await joiner.printed(/"type":"serving".*\n/), 'fetching').slice(-1))

  const bytes = homes.model.manifest.segments.reduce((sum, { shard }) => sum + shard.bytes, 0)
  const received = fetched.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0)
  const peers = new Set(fetched.flatMap(({ from }) => from.map(({ peer }) => peer)))
  console.info(`${bytes} bytes, ${received} received (${(received / bytes).toFixed(4)}), from ${peers.size} peers`)
  expect(fetched.at(-1)!.totalBytes).toBeLessThanOrEqual(bytes)
  expect(fetched[1]!.keptBytes).toBeGreaterThan(0)
  expect(received - bytes).toBeLessThanOrEqual(Math.max(0.03 * bytes, LOST_CHUNKS * CHUNK_BYTES))
  expect(peers.size).toBeGreaterThanOrEqual(3)
  expect(fetched.some(({ banned }) => banned > 0)).toBe(true)
  const left = (await readdir(shardsFolder(home.path))).filter((name) => /\.(part|have)$/.test(name))
  expect(left).toEqual([])

  await Promise.all(miners.slice(0, 3).map(kill))
  await homeWith(client, [address])
  expect(await say(client)).toBe(expected)
}, 300_000)
