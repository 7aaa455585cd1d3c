import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ggufBytes, ggufMetadata, ggufTensors } from '../unit/app/gguf-file.ts'
import { COMMIT, type HubServer, startHubServer, status, troubleFor } from '../unit/app/hub/hub-server.ts'
import { repositoryFiles } from '../unit/app/hub/hub-world.ts'
import { TINY_CONFIG, tinyTensors, writeFolder } from '../unit/app/hugging-face-folder.ts'

const program = fileURLToPath(new URL('../../bin/run.js', import.meta.url))
const TOKEN = 'hf_notforlogs'
let root: string
let server: HubServer

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'dllm-cli-sources-'))
  server = await startHubServer(repositoryFiles())
})
afterAll(async () => {
  await server.close()
  rmSync(root, { recursive: true, force: true })
})

interface Run {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const environment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  ...{ DLLM_HOME: join(root, 'home'), HF_ENDPOINT: server.endpoint, HF_TOKEN: TOKEN },
})

/** `dllm model …` in a home of this file, with the server as hub. */
function model(...args: string[]): Promise<Run> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, 'model', ...args], { env: environment() }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr })
    })
  })
}

describe('dllm model import', () => {
  test('of a GGUF file and of a repository gives shards with the same hashes', async () => {
    const bytes = ggufBytes({ metadata: ggufMetadata(TINY_CONFIG), tensors: ggufTensors(TINY_CONFIG, tinyTensors()) })
    const file = join(writeFolder(root, { 'tiny-f32.gguf': bytes }), 'tiny-f32.gguf')
    const fromFile = await model('import', file, '--format', 'q4', '--json')
    const fromHub = await model('import', 'hf:owner/tiny', '--format', 'q4', '--keep', '--json')
    expect([fromFile.code, fromHub.code]).toEqual([0, 0])
    const [one, other] = [fromFile, fromHub].map(({ stdout }) => JSON.parse(stdout) as Record<string, unknown>)
    expect([one!['name'], other!['name']]).toEqual(['tiny-f32', 'tiny'])
    expect(one!['segments']).toEqual(other!['segments'])
    expect(one!['warnings']).toHaveLength(1)
    expect(server.seen.some(({ authorization }) => authorization === `Bearer ${TOKEN}`)).toBe(true)
    expect(existsSync(join(root, 'home', 'downloads'))).toBe(true)
  })

  test.each([
    ['a name that is none', ['hf:tiny'], 2, 'HUB_BAD_NAME'],
    ['a mirror that is none', ['hf:owner/tiny', '--mirror', 'hub', '--force'], 2, 'HUB_BAD_NAME'],
    ['a model that is not for everybody', ['hf:owner/closed'], 4, 'HUB_FORBIDDEN'],
    ['a model that is not there', ['hf:owner/nothing'], 1, 'HUB_NOT_FOUND'],
    ['a path that is not there', ['./nothing.gguf'], 1, 'MODEL_UNREADABLE'],
  ])('refuses %s, and never shows the token', async (_case, args, exitCode, code) => {
    server.troubles.push(
      troubleFor('/closed/', 1, (_request, response) => status(response, 401)),
      troubleFor('/nothing/', 1, (_request, response) => status(response, 404)),
    )
    const plain = await model('import', ...args, '--verbose')
    expect(plain.code).toBe(exitCode)
    expect(plain.stderr).toContain(`(${code})`)
    expect(plain.stdout + plain.stderr).not.toContain(TOKEN)
    server.troubles.length = 0
  })

  test('goes on after kill −9 in the middle of a file', async () => {
    const bytes = server.files.get('model.safetensors')!
    server.troubles.push(
      troubleFor('/cdn/', 1, (_request, response) => {
        response.writeHead(200, { 'content-length': bytes.length })
        response.write(bytes.subarray(0, 3_000))
      }),
    )
    const killed = spawn(process.execPath, [program, 'model', 'import', 'hf:owner/killed'], { env: environment() })
    const part = join(root, 'home', 'downloads', `owner--killed@${COMMIT}`, 'model.safetensors.part')
    const size = (): number | undefined => statSync(part, { throwIfNoEntry: false })?.size
    await expect.poll(size, { timeout: 20_000 }).toBe(3_000)
    killed.kill('SIGKILL')
    await once(killed, 'exit')
    const again = await model('import', 'hf:owner/killed', '--json')
    expect(again.code).toBe(0)
    expect(server.seen.at(-1)?.range).toBe('bytes=3000-')
    expect(existsSync(part)).toBe(false)
    expect((await model('verify', 'killed')).code).toBe(0)
  })

  test('keeps no token in the home', () => {
    const manifest = readFileSync(join(root, 'home', 'models', 'tiny', 'manifest.json'), 'utf8')
    expect(manifest).not.toContain(TOKEN)
  })
})
