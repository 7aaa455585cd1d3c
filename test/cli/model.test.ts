import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { tinyFiles, writeFolder } from '../unit/app/hugging-face-folder.ts'

const program = fileURLToPath(new URL('../../bin/run.js', import.meta.url))
let root: string
let folder: string

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'dllm-cli-model-'))
  folder = writeFolder(root, tinyFiles())
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

interface Run {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** `dllm model …` in a home of this file. */
function model(...args: string[]): Promise<Run> {
  return new Promise((resolve) => {
    const env = { ...process.env, DLLM_HOME: join(root, 'home') }
    execFile(process.execPath, [program, 'model', ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr })
    })
  })
}

async function json(...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout } = await model(...args, '--json')
  expect(code).toBe(0)
  return JSON.parse(stdout) as Record<string, unknown>
}

const reference = ['--engine', 'reference', '--tokens', '0,5,9,3']

describe('dllm model', () => {
  test('imports, lists, shows, verifies and probes', async () => {
    const imported = await json('import', folder, '--format', 'q4', '--segments', '2')
    expect(imported).toMatchObject({ name: 'tiny', format: 'q4', warnings: [] })
    const listed = (await json('list')) as { models: { name: string; hash: string }[] }
    expect(listed.models.map(({ name }) => name)).toEqual(['genesis', 'tiny'])
    expect(await json('show', 'tiny')).toMatchObject({ hash: imported['hash'], spec: 'exact-1', format: 'q4' })
    expect(await json('verify', 'tiny')).toMatchObject({ isIntact: true })
    expect((await model('show', 'tiny')).stdout).toMatch(/segment 2 .*layers 1–1, head/)
  })

  test('probes with the same digests whatever the chunk and the split', async () => {
    const digests = async (...args: string[]): Promise<string[]> => {
      const { tokens } = (await json('probe', 'tiny', ...reference, ...args)) as { tokens: { digest: string }[] }
      return tokens.map(({ digest }) => digest)
    }
    const alone = await digests()
    expect(alone).toHaveLength(4)
    expect(await digests('--chunk', '3')).toEqual(alone)
    expect(await digests('--chunk', '2', '--split', '1')).toEqual(alone)
  })

  test('probes every logit in JSON, or as many as are asked for', async () => {
    const all = (await json('probe', 'tiny', ...reference)) as { tokens: { logits?: number[]; top: object[] }[] }
    expect(all.tokens[0]!.logits).toHaveLength(16)
    const some = (await json('probe', 'tiny', ...reference, '--top-k', '3')) as typeof all
    expect(some.tokens[0]).not.toHaveProperty('logits')
    expect(some.tokens[0]!.top).toEqual(all.tokens[0]!.top.slice(0, 3))
  })

  test.each([
    ['a model that is not there', ['show', 'nothing'], 1, 'MODEL_NOT_FOUND'],
    ['a model that is there already', ['import', '@folder', '--name', 'tiny'], 1, 'MODEL_EXISTS'],
    ['a name with a separator', ['import', '@folder', '--name', '../x'], 1, 'MODEL_BAD_NAME'],
    ['more segments than layers', ['import', '@folder', '--name', 'x', '--segments', '9'], 1, 'MODEL_BAD_SEGMENTS'],
    ['tokens that are words', ['probe', 'tiny', '--engine', 'reference', '--tokens', 'a,b'], 2, 'USAGE'],
    ['a token of another model', ['probe', 'tiny', '--engine', 'reference', '--tokens', '16'], 1, 'PROBE_BAD_TOKENS'],
    ['a split at the end', ['probe', 'tiny', ...reference, '--split', '2'], 1, 'PROBE_BAD_SPLIT'],
    ['a chunk beyond all prompts', ['probe', 'tiny', ...reference, '--chunk', '1000'], 1, 'PROBE_TOO_MUCH'],
    ['an unknown format', ['import', '@folder', '--format', 'q5'], 2, 'USAGE'],
  ])('refuses %s', async (_case, args, exitCode, code) => {
    const { code: found, stdout } = await model(...args.map((arg) => (arg === '@folder' ? folder : arg)), '--json')
    expect([found, (JSON.parse(stdout) as { error: { code: string } }).error.code]).toEqual([exitCode, code])
  })

  test('says which file of a model is damaged', async () => {
    const { segments } = (await json('show', 'tiny')) as { segments: { shard: { root: string } }[] }
    truncateSync(join(root, 'home', 'shards', segments[1]!.shard.root), 100)
    const { code, stdout } = await model('verify', 'tiny')
    expect(code).toBe(1)
    expect(stdout).toMatch(/wrong size +segment-001\.shard/)
    const probe = await model('probe', 'tiny', ...reference)
    expect(probe.code).toBe(1)
    expect(probe.stderr).toMatch(/MODEL_BAD_SHARD/)
  })
})
