/** A process that is killed while it writes leaves a file that the next one goes on with. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { chunksIn } from '../../../../src/app/shards/chunk-map.ts'
import { openShardStore } from '../../../../src/app/shards/shard-store.ts'
import { CHUNK_BYTES } from '../../../../src/ml/chunk-tree.ts'
import { KILLED_FILE } from './killed-file.ts'
import { NEVER, newHome } from './store-world.ts'

const PROGRAM = fileURLToPath(new URL('./writing-process.ts', import.meta.url))

/** Kills the process when it has said something so many times. */
function writeUntilKilled(home: string, chunks: number): Promise<NodeJS.Signals | null> {
  const child = spawn(process.execPath, ['--experimental-strip-types', '--no-warnings', PROGRAM, home], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.on('data', (text: Buffer) => {
    said += text.toString()
    if (said.split('\n').length > chunks) child.kill('SIGKILL')
  })
  return new Promise((resolve) => child.once('exit', (_code, signal) => resolve(signal)))
}

test('the chunks that it wrote are kept, its lock is not, and the end is the right file', async () => {
  const home = newHome()
  expect(await writeUntilKilled(home, 3)).toBe('SIGKILL')
  expect(await writeUntilKilled(home, 9)).toBe('SIGKILL')
  const { content, leaves, ...file } = KILLED_FILE
  const store = openShardStore({ home })
  const partial = (await store.begin(file, leaves, NEVER))!
  const kept = chunksIn(partial.map)
  expect(kept.length).toBeGreaterThanOrEqual(9)
  for (let index = 0; index * CHUNK_BYTES < file.bytes; index++) {
    if (!kept.includes(index)) {
      await partial.write(index, content.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES))
    }
  }
  expect(readFileSync(await partial.finish()).equals(content)).toBe(true)
})
