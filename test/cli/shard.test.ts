/** `dllm shard` and `dllm model remove` as processes: what is listed, found damaged, removed, and taken back. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openModelStore } from '../../src/app/model-store.ts'
import { markServed } from '../../src/app/model-use.ts'
import { tinyFiles, writeFolder } from '../unit/app/hugging-face-folder.ts'
import { createDllm, type Dllm } from './dllm.ts'

interface Listed {
  readonly root: string
  readonly path: string
  readonly place: string
  readonly isComplete: boolean
  readonly status: string
  readonly uses: readonly { readonly model: string; readonly file: string; readonly segment?: number }[]
}

let root: string
let dllm: Dllm
let folder: string
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'dllm-shard-cli-'))
  dllm = createDllm()
  folder = writeFolder(root, tinyFiles())
  // The second is the first but for its name, so that they share their shards.
  for (const name of ['one', 'two']) expect((await dllm.run(['model', 'import', folder, '--name', name])).code).toBe(0)
})
afterAll(async () => {
  await dllm.cleanUp()
  rmSync(root, { recursive: true, force: true })
})

const list = async (): Promise<readonly Listed[]> => {
  const { files } = await dllm.json<{ files: readonly Listed[] }>(['shard', 'list'])
  return files.filter(({ place }) => place === 'store')
}

describe('dllm shard', () => {
  test('lists a shard of two models once', async () => {
    const shards = await list()
    expect(shards.map(({ uses }) => uses.map(({ model, segment }) => [model, segment]))).toEqual([
      [
        ['one', 1],
        ['two', 1],
      ],
      [
        ['one', 2],
        ['two', 2],
      ],
    ])
    const { stdout } = await dllm.run(['shard', 'list'])
    expect(stdout).toMatch(/one segment 2, two segment 2 +\S+ \S+ +whole/)
  })

  test('sets a damaged shard aside, so that no model uses it', async () => {
    expect((await dllm.run(['shard', 'verify'])).code).toBe(0)
    const [first] = await list()
    const bytes = readFileSync(first!.path)
    writeFileSync(first!.path, bytes.fill(1, bytes.length - 1))
    const { code, stdout, stderr } = await dllm.run(['shard', 'verify', 'one'])
    expect(code).toBe(1)
    expect(stdout).toMatch(/^damaged +[0-9a-f]{16} {2}one segment 1, two segment 1$/m)
    expect(stderr).toContain('1 of 4 files are damaged')
    expect(existsSync(first!.path)).toBe(false)
    expect((await list()).map(({ isComplete }) => isComplete)).toEqual([false, true])
    const { models } = await dllm.json<{ models: { name: string; segmentsHere: number }[] }>(['model', 'list'])
    expect(models.find(({ name }) => name === 'two')?.segmentsHere).toBe(1)
    expect((await dllm.run(['model', 'list'])).stdout).toMatch(/one .* 1 of 2 /)
    expect((await dllm.run(['model', 'show', 'two'])).stdout).toMatch(/^segment 1 .* not here$/m)
    // Importing it again brings it back.
    expect((await dllm.run(['model', 'import', folder, '--name', 'one', '--force'])).code).toBe(0)
    expect((await dllm.run(['shard', 'verify', 'two'])).code).toBe(0)
  })

  test('refuses a model that is not there', async () => {
    const { code, stderr } = await dllm.run(['shard', 'verify', 'nothing'])
    expect([code, stderr]).toEqual([1, expect.stringContaining('(MODEL_NOT_FOUND)')])
  })

  test('collects what no model needs after the last of them was removed, and no sooner', async () => {
    const gc = (...args: string[]) => dllm.json<{ files: unknown[]; freedBytes: number }>(['shard', 'gc', ...args])
    // What was set aside, and is whole again.
    expect((await gc()).files).toHaveLength(1)
    expect((await dllm.run(['model', 'remove', 'one', '--yes'])).code).toBe(0)
    expect((await gc('--dry-run')).files).toEqual([])
    const { stderr } = await dllm.run(['model', 'remove', 'two'])
    expect(stderr).toMatch(/^`(?:npx )?dllm shard gc` frees .* that no model needs any more\.$/m)
    const { freedBytes } = await gc('--dry-run')
    expect(await list()).toHaveLength(2)
    expect((await gc()).freedBytes).toBe(freedBytes)
    expect(readdirSync(join(dllm.home, 'shards'))).toEqual([])
    expect(readdirSync(join(dllm.home, 'models'))).toEqual([])
  })

  test('keeps an import within the setting shardGib', async () => {
    expect((await dllm.run(['config', 'set', 'shardGib', '1'])).code).toBe(0)
    expect((await dllm.run(['model', 'import', folder, '--name', 'three'])).code).toBe(0)
    expect((await dllm.run(['config', 'set', 'shardGib', '-1'])).stderr).toContain('(CONFIG_BAD_VALUE)')
  })
})

describe('dllm model remove', () => {
  test('refuses a model that is served, and takes it when it is not', async () => {
    const { manifest, isEmbedded } = openModelStore({ home: dllm.home }).find('three')
    const unmark = await markServed(dllm.home, { manifest, isEmbedded })
    const served = await dllm.run(['model', 'remove', 'three', '--yes'])
    expect([served.code, served.stderr]).toEqual([1, expect.stringContaining('(MODEL_IN_USE)')])
    await unmark()
    // A miner that was killed takes no mark with it.
    writeFileSync(join(dllm.home, 'models', '.served-999999999-0-three'), '')
    expect((await dllm.run(['model', 'remove', 'three', '--yes'])).code).toBe(0)
    expect(readdirSync(join(dllm.home, 'models'))).toEqual([])
  })

  test.each([
    ['a model that comes with the program', 'genesis', 'MODEL_IN_USE'],
    ['a model that is not there', 'nothing', 'MODEL_NOT_FOUND'],
    ['a name that is a path', '../wallets', 'MODEL_BAD_NAME'],
  ])('refuses %s', async (_case, name, code) => {
    const { stderr } = await dllm.run(['model', 'remove', name, '--yes'])
    expect(stderr).toContain(`(${code})`)
  })
})
