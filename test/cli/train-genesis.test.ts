/** The training script as a process: it learns, goes on from its checkpoint, and the importer takes what it writes. @module */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { importModel } from '../../src/app/model-import.ts'

const folder = mkdtempSync(join(tmpdir(), 'dllm-train-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const script = join(import.meta.dirname, '../../scripts/train-genesis.ts')
const [texts, out] = [join(folder, 'texts'), join(folder, 'out')]
mkdirSync(texts)
writeFileSync(join(texts, 'rhyme.txt'), 'One fish, two fish, red fish, blue fish. '.repeat(120))

async function train(steps: number, ...more: string[]): Promise<string> {
  const shape = ['--shape', 'tiny', '--batch', '2', '--rows', '16', '--rate', '0.02']
  const args = [script, texts, '--out', out, '--steps', String(steps), ...shape, ...more]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return stdout
}

test('a model is trained in two goes and imported', async () => {
  expect(await train(30)).toMatch(/^30 steps: held-out loss 7\.6\d\d to [0-6]\.\d/)
  const plot = readFileSync(join(out, 'loss.svg'), 'utf8')
  expect(await train(40)).toMatch(/^40 steps: held-out loss 7\.6\d\d to [0-5]\.\d/)
  // Held-out text was looked at before step 0 and after 20, 30 and 40.
  expect(readFileSync(join(out, 'loss.svg'), 'utf8').match(/<circle/g)).toHaveLength(4)
  expect(plot.match(/<circle/g)).toHaveLength(3)
  await expect(train(50, '--shape', 'small')).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('of another shape'),
  })
  const options = { folder: out, home: join(folder, 'home'), name: 'rhyme', format: 'q8' } as const
  const { model } = await importModel(options, new AbortController().signal)
  expect(model.manifest.config).toMatchObject({ hiddenSize: 32, layerCount: 1, tiedHead: true, endTokens: [0] })
})

test('wrong arguments are refused with a sentence', async () => {
  await expect(train(0)).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--steps is a whole number'),
  })
  await expect(train(1, '--backend', 'abacus')).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--backend is one of'),
  })
})
