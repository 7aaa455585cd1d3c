/**
 * Starts that cannot go well: each ends at once with a code, a sentence that says what to do, and nothing half written; and
 * what `--repair` makes of damaged files.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { openLevelStore } from '../../src/app/store/level-store.ts'
import { createLab, kill, NETWORK, readyNode, startNode, untilStatus } from './chain-lab.ts'
import { createDllm } from './dllm.ts'

const dllm = createDllm()
const NAME = 'lab-1'
const inHome = (...names: string[]): string => join(dllm.home, ...names)
const inNode = (...names: string[]): string => inHome('nodes', NAME, ...names)
const saved = (): string => join(dllm.home, '..', 'saved')

beforeAll(async () => {
  await createLab(dllm, 1, ['commitMs=10'])
  const node = startNode(dllm, NAME)
  const client = await readyNode(dllm, NAME, node)
  await untilStatus(client, ({ height }) => height >= 5)
  client.close()
  await kill(node)
  cpSync(dllm.home, saved(), { recursive: true })
})

/** Each case begins with the files as the killed node left them. */
afterEach(() => {
  rmSync(dllm.home, { recursive: true })
  cpSync(saved(), dllm.home, { recursive: true })
})

afterAll(() => dllm.cleanUp())

/** Names and contents of what a start must not change when it refuses. */
function contents(): Record<string, string> {
  const files = [inHome('networks', 'lab.json'), inNode('validator.key')]
  // What a killed process was writing may go: nobody reads it.
  const votes = readdirSync(inNode('votes')).filter((name) => !name.startsWith('.tmp-'))
  files.push(...votes.map((name) => inNode('votes', name)))
  return Object.fromEntries(files.map((path) => [path, readFileSync(path, 'hex')]))
}

function edit(path: string, change: (text: string) => string): void {
  writeFileSync(path, change(readFileSync(path, 'utf8')))
}

const portOf = (): number => Number(/\/tcp\/(\d+)/.exec(readFileSync(inHome('networks', 'lab.json'), 'utf8'))![1])

/** What is in the way; resolves with how to take it away. */
type Obstacle = () => unknown

describe('a node does not start', () => {
  test.each<[string, Obstacle, string, RegExp]>([
    [
      'with a damaged validator key',
      () => truncateSync(inNode('validator.key'), 40),
      'VALIDATOR_KEY_BAD',
      /Put back a copy/,
    ],
    [
      'without its sign state',
      () => rmSync(inNode('votes/sign-state')),
      'SIGN_STATE_MISSING',
      /Restore it from a backup.*--new-key/,
    ],
    [
      'with a sign state that is cut',
      () => truncateSync(inNode('votes/sign-state'), 100),
      'SIGN_STATE_DAMAGED',
      /backup/,
    ],
    ['with a newest vote that is cut', () => truncateSync(inNode('votes/vote'), 100), 'SIGN_STATE_DAMAGED', /backup/],
    ['without its newest vote', () => rmSync(inNode('votes/vote')), 'SIGN_STATE_DAMAGED', /backup/],
    ['with a damaged journal', () => truncateSync(inNode('votes/journal'), 7), 'JOURNAL_DAMAGED', /--repair/],
    ['with a damaged store', () => rmSync(inNode('chain/CURRENT')), 'STORE_CORRUPT', /--repair/],
    [
      'with a genesis that has a wrong field',
      () => edit(inHome('networks/lab.json'), (text) => text.replace('"kind"', '"sort"')),
      'GENESIS_BAD_FIELD',
      /sort|kind/,
    ],
    [
      'on a network whose genesis differs from the store’s',
      () => edit(inHome('networks/lab.json'), (text) => text.replace('"name": "lab"', '"name": "lob"')),
      'CHAIN_STORE_FOREIGN',
      /another network.*--name/,
    ],
    [
      'with the votes of another network',
      () => {
        edit(inHome('networks/lab.json'), (text) => text.replace('"name": "lab"', '"name": "lob"'))
        rmSync(inNode('chain'), { recursive: true })
      },
      'SIGN_STATE_FOREIGN',
      /data folder/,
    ],
  ])('%s', async (_how, damage, code, sentence) => {
    await damage()
    const before = contents()
    const outcome = await dllm.runWarm(['node', '--network', NETWORK, '--name', NAME])
    expect({ code: outcome.code, stderr: outcome.stderr }).toEqual({
      ...{ code: 1, stderr: expect.stringMatching(new RegExp(`^Error: [^\\n]*\\(${code}\\)\\n$`)) },
    })
    expect(outcome.stderr).toMatch(sentence)
    expect(contents()).toEqual(before)
  })

  test('on a port that is in use', async () => {
    const server = await listen(portOf())
    const outcome = await dllm.run(['node', '--network', NETWORK, '--name', NAME])
    server.close()
    expect([outcome.code, outcome.stderr]).toEqual([1, expect.stringMatching(/port.*\(WIRE_PORT_IN_USE\)\n$/i)])
  })

  test('while another process has its store open', async () => {
    const store = await openLevelStore(inNode('chain'))
    const outcome = await dllm.run(['node', '--network', NETWORK, '--name', NAME])
    const repair = await dllm.run(['node', '--network', NETWORK, '--name', NAME, '--repair'])
    await store.close()
    for (const { code, stderr } of [outcome, repair]) {
      expect([code, stderr]).toEqual([1, expect.stringMatching(/Stop it first.*\(STORE_LOCKED\)\n$/)])
    }
  })

  test('under a name that runs already', async () => {
    const node = startNode(dllm, NAME)
    await node.printed(/"type":"started"/)
    const second = await dllm.run(['node', '--network', NETWORK, '--name', NAME])
    await kill(node)
    expect([second.code, second.stderr]).toEqual([1, expect.stringMatching(/another --name.*\(NODE_NAME_IN_USE\)\n$/)])
  })
})

test('a node that can no longer write stops, and says why once', async () => {
  const node = startNode(dllm, NAME)
  await node.printed(/"type":"started"/)
  const file = inNode('votes', 'sign-state')
  // The node may have written it anew in between.
  await vi.waitUntil(() => rmSync(file, { force: true }) === undefined && isMade(file), { interval: 1 })
  const { code, stdout, stderr } = await node.ended
  expect([code, stderr]).toEqual([1, ''])
  expect(JSON.parse(stdout.trimEnd().split('\n').at(-1)!)).toEqual({
    error: expect.objectContaining({ code: expect.stringMatching(/^STORE_/) }),
  })
})

function isMade(folder: string): boolean {
  try {
    mkdirSync(folder)
    return true
  } catch {
    return false
  }
}

function listen(port: number): Promise<Server> {
  const server = createServer()
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server)))
}

describe('with --repair a node starts', () => {
  test.each<[string, Obstacle, RegExp]>([
    ['that had nothing to repair', () => undefined, /is whole/],
    ['with a damaged journal', () => truncateSync(inNode('votes/journal'), 7), /journal.damaged-1/],
    ['with a store that lost its beginning', () => rmSync(inNode('chain/CURRENT')), /chain.damaged-1/],
    ['with a store of which nothing is left', () => emptyStore(), /chain.damaged-1/],
  ])('%s', async (_how, damage, done) => {
    await damage()
    const node = startNode(dllm, NAME, ['--repair'])
    const printed = await node.printed(/"type":"started"/)
    await kill(node)
    expect(printed.split('\n')[0]).toMatch(done)
    expect(JSON.parse(printed.split('\n')[0]!)).toMatchObject({ type: 'repaired' })
    expect(statSync(inNode('votes/sign-state')).size).toBe(215)
  })
})

function emptyStore(): void {
  for (const name of readdirSync(inNode('chain'))) if (name !== 'CURRENT') truncateSync(inNode('chain', name), 0)
}
