import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { importModel } from '../../../../src/app/model-import.ts'
import { ggufBytes, ggufMetadata, ggufTensors } from '../gguf-file.ts'
import { type Files, safetensors, TINY_CONFIG, tinyFiles, tinyTensors, writeFolder } from '../hugging-face-folder.ts'
import { COMMIT, cut, status, troubleFor } from './hub-server.ts'
import { createHubWorld, type HubWorld } from './hub-world.ts'

const never = new AbortController().signal
const WEIGHTS = 'model.safetensors'
const FOLDER = `owner--tiny@${COMMIT}`
const GGUF = ggufBytes({ metadata: ggufMetadata(TINY_CONFIG), tensors: ggufTensors(TINY_CONFIG, tinyTensors()) })

let world: HubWorld
beforeEach(async () => {
  world = await createHubWorld()
})
afterEach(() => world.close())

/** Another world, with these files. */
async function withFiles(files: Files): Promise<void> {
  await world.close()
  world = await createHubWorld(files)
}

const whole = (): Uint8Array => world.server.files.get(WEIGHTS)!
const code = (name: string): unknown => expect.objectContaining({ code: name })

/** What an import of the same files from a folder gives. */
async function expected(): Promise<string> {
  const folder = writeFolder(world.home, tinyFiles(), 'plain')
  return (await importModel({ folder, home: join(world.home, 'other'), name: 'tiny', format: 'f32' }, never)).model.hash
}

describe('a repository', () => {
  test('gives the model that its folder gives, and is gone afterwards', async () => {
    const model = await world.importIt()
    expect(model.hash).toBe(await expected())
    expect(model.manifest.name).toBe('tiny')
    expect(world.downloads()).toEqual([])
  })

  test('is kept where that is asked for, and not fetched again', async () => {
    await world.importIt({ keep: true })
    expect(world.downloads()).toContain(join(FOLDER, WEIGHTS))
    const requests = world.server.seen.length
    await world.importIt({ force: true })
    expect(world.server.seen.slice(requests).filter(({ path }) => !path.startsWith('/api/'))).toEqual([])
  })

  test.each([
    ['owner/tiny', 'main'],
    ['hf:owner/tiny@refs/pr/1', 'refs%2Fpr%2F1'],
    ['owner/tiny@v1.0', 'v1.0'],
  ])('may be written as %s', async (source, revision) => {
    expect((await world.importIt({ source })).hash).toBe(await expected())
    expect(world.server.seen[0]?.path).toContain(`/api/models/owner/tiny/revision/${revision}`)
    expect(
      world.server.seen.filter(({ path }) => path.includes('/resolve/')).every(({ path }) => path.includes(COMMIT)),
    ).toBe(true)
  })

  test('of sharded weights is fetched by its index, and nothing else of it', async () => {
    const tensors = [...tinyTensors()]
    const names = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors']
    const parts = [new Map(tensors.slice(0, 9)), new Map(tensors.slice(9))]
    const map = parts.flatMap((part, index) => [...part.keys()].map((name) => [name, names[index]]))
    await withFiles({
      ...tinyFiles({ [WEIGHTS]: undefined }),
      [names[0]!]: safetensors(parts[0]!),
      [names[1]!]: safetensors(parts[1]!),
      'model.safetensors.index.json': { weight_map: Object.fromEntries(map) },
      'pytorch_model.bin': new Uint8Array(5_000),
    })
    expect((await world.importIt()).hash).toBe(await expected())
    expect(world.server.seen.some(({ path }) => path.includes('pytorch'))).toBe(false)
  })

  test('of one GGUF file is that model, under the name of the file', async () => {
    await withFiles({ 'Tiny-Q8_0.gguf': GGUF, 'mmproj-tiny.gguf': new Uint8Array(3), 'README.md': new Uint8Array(9) })
    expect((await world.importIt()).manifest.name).toBe('Tiny-Q8_0')
  })

  test('of several GGUF files asks for one', async () => {
    await withFiles({ 'a.gguf': GGUF, 'b.gguf': GGUF })
    await expect(world.importIt()).rejects.toThrow(/Name one with --file: a\.gguf, b\.gguf/)
    expect((await world.importIt({ file: 'b.gguf' })).manifest.name).toBe('b')
  })

  test('tells how far it is, ending at the whole', async () => {
    const seen: number[] = []
    let total = 0
    await world.importIt({
      onDownload: ({ doneBytes, totalBytes }) => {
        seen.push(doneBytes)
        total = totalBytes
      },
    })
    expect(seen.at(-1)).toBe(total)
    expect(total).toBe(whole().length)
  })
})

describe('a download goes on', () => {
  test('after cuts, where they were', async () => {
    const act = troubleFor('/cdn/', 3, ({ range }, response) => {
      const from = Number(/\d+/.exec(range ?? '')?.[0] ?? 0)
      cut(response, whole(), { from, count: 1_500 })
    })
    world.server.troubles.push(act)
    expect((await world.importIt()).hash).toBe(await expected())
    const ranges = world.server.seen.filter(({ path }) => path.includes('/cdn/')).map(({ range }) => range)
    expect(ranges).toEqual([undefined, 'bytes=1500-', 'bytes=3000-', 'bytes=4500-'])
  })

  test.each([1, 1_999])('from a part of %i bytes that a killed process left', async (bytes) => {
    const folder = join(world.home, 'downloads', FOLDER)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, `${WEIGHTS}.part`), whole().subarray(0, bytes))
    const kept: number[] = []
    const onDownload = ({ keptBytes }: { keptBytes: number }): void => void kept.push(keptBytes)
    expect((await world.importIt({ onDownload })).hash).toBe(await expected())
    expect(world.server.seen.at(-1)?.range).toBe(`bytes=${bytes}-`)
    expect(kept.at(-1)).toBe(bytes)
  })

  test('from the start where the part of before is not of this file', async () => {
    const folder = join(world.home, 'downloads', FOLDER)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, `${WEIGHTS}.part`), new Uint8Array(700))
    expect((await world.importIt()).hash).toBe(await expected())
    expect(world.server.seen.filter(({ path }) => path.includes('/cdn/')).map(({ range }) => range)).toEqual([
      'bytes=700-',
      undefined,
    ])
  })

  test('from the start at a server without ranges', async () => {
    world.server.troubles.push(
      troubleFor('/cdn/', 1, (_request, response) => cut(response, whole(), { from: 0, count: 900 })),
      troubleFor('/cdn/', 1, (_request, response) => {
        response.setHeader('content-length', whole().length)
        response.end(whole())
      }),
    )
    expect((await world.importIt()).hash).toBe(await expected())
  })

  test('after as long as the hub asks to wait', async () => {
    world.server.troubles.push(
      troubleFor('/api/', 1, (_request, response) => status(response, 429, { 'retry-after': '7' })),
      troubleFor('/cdn/', 2, (_request, response) => status(response, 429, { 'retry-after': '120' })),
      troubleFor('/cdn/', 1, (_request, response) => status(response, 429)),
      troubleFor('/cdn/', 2, (_request, response) => status(response, 503)),
    )
    expect((await world.importIt()).hash).toBe(await expected())
    expect(world.waits.slice(0, 4)).toEqual([7_000, 120_000, 120_000, 30_000])
  })

  test('after a connection that says nothing more', async () => {
    world.server.troubles.push(
      troubleFor('/cdn/', 1, (_request, response) => {
        response.writeHead(200, { 'content-length': whole().length })
        response.write(whole().subarray(0, 100), () => setImmediate(() => world.fallSilent()))
      }),
    )
    expect((await world.importIt()).hash).toBe(await expected())
  })

  test('after an interruption, with what came before it', async () => {
    const controller = new AbortController()
    const reason = new Error('stop')
    world.server.troubles.push(
      troubleFor('/cdn/', 1, (_request, response) => {
        response.writeHead(200, { 'content-length': whole().length })
        response.write(whole().subarray(0, 1_000))
      }),
    )
    const onDownload = ({ doneBytes, totalBytes }: { doneBytes: number; totalBytes: number }): void => {
      if (totalBytes === whole().length && doneBytes === 1_000) controller.abort(reason)
    }
    await expect(world.importIt({ onDownload }, controller.signal)).rejects.toBe(reason)
    expect(world.downloads()).toContain(join(FOLDER, `${WEIGHTS}.part`))
    expect((await world.importIt()).hash).toBe(await expected())
    expect(world.server.seen.at(-1)?.range).toBe('bytes=1000-')
  })

  test('without the unfinished rest of another commit', async () => {
    const other = join(world.home, 'downloads', 'owner--tiny@older')
    mkdirSync(other, { recursive: true })
    writeFileSync(join(other, `${WEIGHTS}.part`), '')
    await world.importIt()
    expect(world.downloads()).toEqual([])
  })
})

describe('a token', () => {
  const token = 'hf_secretsecret'

  test('goes to the hub, and to nobody else', async () => {
    const other = await createHubWorld()
    world.server.troubles.push(
      troubleFor(`/resolve/${COMMIT}/${WEIGHTS}`, 1, (_request, response) =>
        status(response, 302, { location: `${other.server.endpoint}/cdn/${WEIGHTS}` }),
      ),
    )
    await world.importIt({ token })
    expect(world.server.seen.every(({ authorization }) => authorization === `Bearer ${token}`)).toBe(true)
    expect(other.server.seen.map(({ authorization }) => authorization)).toEqual([undefined])
    await other.close()
  })

  test('is never sent in the open, nor shown', async () => {
    const act = world.importIt({ token, endpoint: 'http://hub.example' })
    await expect(act).rejects.toThrow(code('HUB_BAD_NAME'))
    await expect(act).rejects.not.toThrow(token)
  })
})

test('a part that is longer than the file is thrown away', async () => {
  const folder = join(world.home, 'downloads', FOLDER)
  mkdirSync(folder, { recursive: true })
  const part = join(folder, `${WEIGHTS}.part`)
  writeFileSync(part, '')
  truncateSync(part, whole().length + 5)
  expect((await world.importIt()).hash).toBe(await expected())
  expect(readFileSync(join(world.home, 'models', 'tiny', 'manifest.json'), 'utf8')).toContain('exact-1')
})
