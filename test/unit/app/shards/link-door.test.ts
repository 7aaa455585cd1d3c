/** The door of bulk links where there can be none. */
import { expect, test } from 'vitest'
import { openLinkDoor } from '../../../../src/app/shards/link-door.ts'
import { createUploadBudget } from '../../../../src/app/shards/upload-budget.ts'
import { createSystem } from '../../../../src/app/system.ts'
import { peerId } from '../../../../src/base/brand.ts'
import { servedFiles } from '../../../shard-world.ts'

const system = createSystem({ level: 'silent' })
const budget = createUploadBudget({}, system.clock)

test('where nothing can listen there is no door, and the log says why', async () => {
  const events: string[] = []
  const log = { write: (_level: string, event: string) => void events.push(event) }
  const options = { files: servedFiles([]), budget, host: '192.0.2.1', port: 0 }
  expect(await openLinkDoor(options, { ...system, log })).toBeUndefined()
  expect(events).toEqual(['links.no_port'])
})

test('a door that is closed admits nobody', async () => {
  const door = await openLinkDoor({ files: servedFiles([]), budget, host: '127.0.0.1', port: 0 }, system)
  expect((await door!.admit(peerId('a')))?.port).toBeGreaterThan(1_023)
  await door!.close()
  expect(await door!.admit(peerId('a'))).toBeUndefined()
})
