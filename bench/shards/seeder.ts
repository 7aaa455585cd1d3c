/**
 * A process that has one file: serves it as a miner does, and, for comparison, over a bare socket.
 * @module
 */
import { createReadStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { fullMap } from '../../src/app/shards/chunk-map.ts'
import { openLinkDoor } from '../../src/app/shards/link-door.ts'
import type { ServedFiles } from '../../src/app/shards/served-files.ts'
import { serveShards } from '../../src/app/shards/shard-server.ts'
import { createUploadBudget } from '../../src/app/shards/upload-budget.ts'
import { createSystem } from '../../src/app/system.ts'
import { CHUNK_BYTES, leafAt } from '../../src/ml/chunk-tree.ts'
import { createLibp2pWire } from '../../src/net/libp2p-wire.ts'
import { NETWORK_ID, type SeededFile, type SeederOrder, type SeederTold } from './messages.ts'

process.on('message', (order: SeederOrder) => void serve(order))
process.on('disconnect', () => process.exit())

async function serve({ file, hasLinks }: SeederOrder): Promise<void> {
  const system = createSystem({ level: 'error' })
  const wire = await createLibp2pWire(
    { networkId: NETWORK_ID, listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, dht: false },
    system,
  )
  const files = filesOf(file)
  await writeFile(`${file.path}.leaves`, file.leaves)
  const budget = createUploadBudget({}, system.clock)
  const place = { host: '127.0.0.1', port: 0 }
  const links = hasLinks ? await openLinkDoor({ files, budget, ...place }, system) : undefined
  await serveShards(wire, { files, budget, links }, system)
  const barePort = await serveBare(file)
  const told: SeederTold = { peer: wire.peer, addresses: wire.addresses(), barePort }
  process.send?.(told)
}

function filesOf({ root, bytes, path, leaves }: SeededFile): ServedFiles {
  return {
    manifest: async () => undefined,
    leaves: async (asked) => (asked === root ? leaves : undefined),
    locate: async (asked) =>
      asked === root ? { path, bytes, map: fullMap(bytes), whole: { mark: '', leaves: `${path}.leaves` } } : undefined,
    confirm: async (_root, index, leaf) => Buffer.compare(leafAt(leaves, index), leaf) === 0,
  }
}

/** What a user of node:net would write: the file piped into each socket. */
function serveBare({ path }: SeededFile): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      createReadStream(path, { highWaterMark: CHUNK_BYTES }).pipe(socket)
    })
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}
