import { expect, test } from 'vitest'
import { createFetchThread } from '../../../../src/app/shards/fetch-thread.ts'
import { openLinkDoor } from '../../../../src/app/shards/link-door.ts'
import { createUploadBudget } from '../../../../src/app/shards/upload-budget.ts'
import { createSystem } from '../../../../src/app/system.ts'
import { peerId } from '../../../../src/base/brand.ts'
import { codeFrom } from '../../../contract/wire-world.ts'
import { createShardWorld, servedFiles, targetOf } from '../../../shard-world.ts'

const system = createSystem({ level: 'silent' })
const NEVER = new AbortController().signal

test('a chunk that is asked for on a link which was closed a moment ago is lost with the link, and is no failure of the download', async () => {
  const world = await createShardWorld()
  const file = await world.file(1_000)
  const part = await world.part(1_000)
  const place = { host: '127.0.0.1', port: 0 }
  const budget = createUploadBudget({}, system.clock)
  const door = (await openLinkDoor({ files: servedFiles([file]), budget, ...place }, system))!
  const thread = createFetchThread()
  try {
    const { port, ticket } = (await door.admit(peerId('asker')))!
    const link = await thread.open({ host: '127.0.0.1', port, ticket }, NEVER)
    const chunk = { root: file.root, index: 0, length: 1_000, into: targetOf(file, 0, part) }
    expect(await link.fetch(chunk, NEVER)).toBe('stored')
    link.close()
    expect(await codeFrom(link.fetch(chunk, NEVER))).toBe('LINK_LOST')
  } finally {
    await thread.close()
    await door.close()
    await world.close()
  }
})
