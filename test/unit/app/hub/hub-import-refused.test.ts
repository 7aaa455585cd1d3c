import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { HUB_LIMITS, MODEL_LIMITS } from '../../../../src/base/limits.ts'
import { ggufBytes, ggufMetadata, ggufTensors } from '../gguf-file.ts'
import { changed, type Files, TINY_CONFIG, tinyFiles, tinyTensors, weights, withValue } from '../hugging-face-folder.ts'
import { COMMIT, cut, html, json, status, troubleFor } from './hub-server.ts'
import { createHubWorld, type HubWorld, repositoryFiles } from './hub-world.ts'

/** What the hub says to somebody without a token. */
const GONE = { 'x-error-code': 'RepoNotFound' }
const WEIGHTS = 'model.safetensors'
const FOLDER = `owner--tiny@${COMMIT}`

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

describe('a download is refused for', () => {
  const wrong = (bytes: Uint8Array): Uint8Array => bytes.map((byte, index) => (index === 999 ? byte ^ 1 : byte))

  test.each<[string, () => void, string]>([
    ['weights with another hash', () => lie({ lfs: { oid: 'ab'.repeat(32), size: whole().length } }), 'HUB_WRONG_HASH'],
    ['a small file with another hash', () => lie({ oid: 'ab'.repeat(20) }, 'config.json'), 'HUB_WRONG_HASH'],
    ['damaged weights', () => always('/cdn/', (r) => r.end(wrong(whole()))), 'HUB_WRONG_HASH'],
    ['fewer bytes than listed', () => always('/cdn/', (r) => short(r)), 'HUB_UNREACHABLE'],
    ['fewer bytes than listed, announced', () => announced(whole().subarray(1)), 'HUB_BAD_ANSWER'],
    [
      'more bytes than listed',
      () => always('/cdn/', (r) => r.end(new Uint8Array(whole().length + 1))),
      'HUB_BAD_ANSWER',
    ],
    ['a range of another file', () => ranged('bytes 1000-1999/2000'), 'HUB_BAD_ANSWER'],
    ['a range from elsewhere', () => ranged(`bytes 0-${whole().length - 1}/${whole().length}`), 'HUB_BAD_ANSWER'],
    ['a web page instead of the list', () => always('/tree/', html), 'HUB_BAD_ANSWER'],
    ['a web page instead of the model', () => always('/revision/', html), 'HUB_BAD_ANSWER'],
    ['a web page instead of weights', () => always('/cdn/', html), 'HUB_BAD_ANSWER'],
    ['JSON that is no list', () => always('/tree/', (r) => json(r, { error: 'no' })), 'HUB_BAD_ANSWER'],
    ['a list of nothing', () => always('/tree/', (r) => json(r, [null])), 'HUB_BAD_ANSWER'],
    [
      'a list without hashes',
      () => always('/tree/', (r) => json(r, [{ type: 'file', path: 'config.json', size: 3 }])),
      'HUB_BAD_ANSWER',
    ],
    ['more files than a model has', () => always('/tree/', (r) => json(r, manyFiles())), 'HUB_BAD_ANSWER'],
    ['a file beyond all sizes', () => lie({ size: 2 ** 51 }), 'HUB_BAD_ANSWER'],
    ['a list that is too long', () => always('/tree/', (r) => tooLong(r)), 'HUB_BAD_ANSWER'],
    ['half a list', () => always('/tree/', (r) => half(r)), 'HUB_BAD_ANSWER'],
    ['a list without end', () => always('/tree/', (r, path) => endless(r, path)), 'HUB_BAD_ANSWER'],
    ['a list that goes on elsewhere', () => always('/tree/', (r) => elsewhere(r)), 'HUB_BAD_ANSWER'],
    [
      'a commit that is none',
      () => always('/revision/', (r) => json(r, { sha: '../..', id: 'owner/tiny' })),
      'HUB_BAD_ANSWER',
    ],
    [
      'redirects in circles',
      () => always('/cdn/', (r) => status(r, 302, { location: '/cdn/again' })),
      'HUB_BAD_ANSWER',
    ],
    [
      'a redirect to a file',
      () => always('/cdn/', (r) => status(r, 302, { location: 'file:///etc/passwd' })),
      'HUB_BAD_NAME',
    ],
    ['a model that is not there', () => always('/revision/', (r) => status(r, 404)), 'HUB_NOT_FOUND'],
    [
      'a model that strangers are not told of',
      () => always('/revision/', (r) => status(r, 401, GONE)),
      'HUB_NOT_FOUND',
    ],
    ['a model that is not for everybody', () => always('/cdn/', (r) => status(r, 403)), 'HUB_FORBIDDEN'],
    ['a hub that always asks to wait', () => always('/cdn/', (r) => status(r, 429)), 'HUB_BUSY'],
    [
      'a hub that asks for an hour',
      () => always('/cdn/', (r) => status(r, 429, { 'retry-after': '3600' })),
      'HUB_BUSY',
    ],
    ['a hub that is down', () => always('/cdn/', (r) => status(r, 502)), 'HUB_UNREACHABLE'],
    ['a hub that hangs up', () => always('/cdn/', (r) => r.destroy()), 'HUB_UNREACHABLE'],
    ['a repository without a model', () => world.server.files.delete(WEIGHTS), 'HUB_NO_MODEL'],
    ['weights without a config', () => world.server.files.delete('config.json'), 'HUB_NO_MODEL'],
  ])('%s', async (_case, arrange, expectedCode) => {
    arrange()
    await expect(world.importIt()).rejects.toThrow(code(expectedCode))
    expect(readdirSync(world.home)).not.toContain('models')
  })

  function always(part: string, act: (response: Parameters<typeof html>[0], path: string) => void): void {
    world.server.troubles.push(troubleFor(part, Number.POSITIVE_INFINITY, ({ path }, response) => act(response, path)))
  }

  function lie(entry: Record<string, unknown>, name = WEIGHTS): void {
    world.server.lies.set(name, entry)
  }

  function announced(bytes: Uint8Array): void {
    always('/cdn/', (response) => {
      response.setHeader('content-length', bytes.length)
      response.end(bytes)
    })
  }

  /** A cut, and then a range that does not continue it. */
  function ranged(contentRange: string): void {
    world.server.troubles.push(
      troubleFor('/cdn/', 1, (_request, response) => cut(response, whole(), { from: 0, count: 500 })),
    )
    always('/cdn/', (response) => {
      response.writeHead(206, { 'content-range': contentRange })
      response.end(new Uint8Array(1_000))
    })
  }

  /** Without a length, so that nobody knows before the end. */
  function short(response: Parameters<typeof html>[0]): void {
    response.write(whole().subarray(1))
    response.end()
  }

  function manyFiles(): unknown[] {
    const file = { type: 'file', path: 'config.json', size: 1, oid: 'ab'.repeat(20) }
    return Array.from({ length: HUB_LIMITS.filesMax + 1 }, () => file)
  }

  function tooLong(response: Parameters<typeof html>[0]): void {
    response.setHeader('content-type', 'application/json')
    response.end(Buffer.alloc(HUB_LIMITS.answerBytesMax + 1, ' '))
  }

  function half(response: Parameters<typeof html>[0]): void {
    response.setHeader('content-type', 'application/json')
    response.end('[{"type":"file"')
  }

  function endless(response: Parameters<typeof html>[0], path: string): void {
    response.setHeader('link', `<${world.server.endpoint}${path}>; rel="next"`)
    json(response, [])
  }

  function elsewhere(response: Parameters<typeof html>[0]): void {
    response.setHeader('link', '<http://localhost:1/api/models/owner/tiny/tree/x>; rel="next"')
    json(response, [])
  }

  test.each(['../../evil', '/etc/passwd', 'a/../../b', '.bashrc', 'con', 'x\\y'])(
    'no file of the name %j',
    async (name) => {
      world.server.files.set(name, new Uint8Array(10))
      await world.importIt({ keep: true })
      expect(world.downloads().filter((path) => !path.startsWith(FOLDER))).toEqual([])
      expect(readdirSync(join(world.home, 'downloads', FOLDER)).sort()).toEqual(Object.keys(repositoryFiles()).sort())
    },
  )

  test('an index that leads outside', async () => {
    await withFiles(
      tinyFiles({
        [WEIGHTS]: undefined,
        'model.safetensors.index.json': { weight_map: { a: '../../../x.safetensors' } },
      }),
    )
    await expect(world.importIt()).rejects.toThrow(code('WEIGHTS_BAD_HEADER'))
  })

  test('an index of more files than a model has', async () => {
    const names = Array.from({ length: MODEL_LIMITS.weightFilesMax + 1 }, (_, index) => [
      `t${index}`,
      `${index}.safetensors`,
    ])
    const index = { weight_map: Object.fromEntries(names) }
    await withFiles(tinyFiles({ [WEIGHTS]: undefined, 'model.safetensors.index.json': index }))
    await expect(world.importIt()).rejects.toThrow(code('WEIGHTS_BAD_HEADER'))
  })

  test('a disk without room for source and result, before any weights come', async () => {
    const freeBytes = async (): Promise<number> => whole().length + 20_000
    await expect(world.importIt({ freeBytes })).rejects.toThrow(code('MODEL_NO_SPACE'))
    expect(world.server.seen.some(({ path }) => path.includes(WEIGHTS))).toBe(false)
  })

  test('an architecture that cannot be imported, before any weights come', async () => {
    await withFiles(tinyFiles({ 'config.json': { ...TINY_CONFIG, architectures: ['MambaForCausalLM'] } }))
    await expect(world.importIt()).rejects.toThrow(code('MODEL_UNSUPPORTED'))
    expect(world.server.seen.some(({ path }) => path.includes(WEIGHTS))).toBe(false)
  })

  test.each([
    ['an architecture', 'mamba', Number.MAX_SAFE_INTEGER, 'MODEL_UNSUPPORTED'],
    ['a size', 'llama', 100_000_000, 'MODEL_NO_SPACE'],
  ])(
    '%s that its first bytes tell, before the rest of a large GGUF file comes',
    async (_what, name, free, expectedCode) => {
      const large = largeGguf(name)
      await withFiles({ 'large.gguf': large })
      await expect(world.importIt({ freeBytes: async () => free })).rejects.toThrow(code(expectedCode))
      const { size } = statSync(join(world.home, 'downloads', FOLDER, 'large.gguf.part'))
      expect(size).toBeGreaterThanOrEqual(MODEL_LIMITS.ggufHeaderBytesMax)
      expect(size).toBeLessThan(large.length)
    },
  )

  /** An embedding of 77 MB. */
  function largeGguf(name: string): Uint8Array {
    const tensors = ggufTensors(TINY_CONFIG, tinyTensors())
    const rows = 600_000
    tensors.set('token_embd.weight', { type: 0, shape: [32, rows], data: new Uint8Array(32 * rows * 4) })
    return ggufBytes({
      metadata: ggufMetadata(TINY_CONFIG, [
        ['general.architecture', ['text', name]],
        ['llama.embedding_length', ['u32', 32]],
      ]),
      tensors,
    })
  }

  test('a name that is taken, before anything comes', async () => {
    await world.importIt()
    const requests = world.server.seen.length
    await expect(world.importIt()).rejects.toThrow(code('MODEL_EXISTS'))
    expect(world.server.seen.slice(requests).some(({ path }) => path.includes('/resolve/'))).toBe(false)
  })

  test('weights that no import takes, and keeps them for the next one', async () => {
    await withFiles(weights(changed('model.norm.weight', withValue(Number.NaN))))
    await expect(world.importIt()).rejects.toThrow(code('WEIGHTS_NOT_FINITE'))
    expect(world.downloads()).toContain(join(FOLDER, WEIGHTS))
  })

  test.each([
    'hf:tiny',
    'hf:owner/tiny/more',
    'hf:../tiny',
    'hf:owner/..',
    'hf:owner/tiny@',
    'hf:owner/tiny@../x',
    'hf:owner/tiny@a@b',
    'hf:owner/ti ny',
    `hf:owner/${'x'.repeat(200)}`,
  ])('the name %s', async (source) => {
    await expect(world.importIt({ source })).rejects.toThrow(code('HUB_BAD_NAME'))
    expect(world.server.seen).toEqual([])
  })

  test.each(['', 'hub', 'ftp://hub.example', 'https://user:word@hub.example', 'https://hub.example/?a=b'])(
    'the mirror %j',
    async (endpoint) => {
      await expect(world.importIt({ endpoint })).rejects.toThrow(code('HUB_BAD_NAME'))
    },
  )
})
