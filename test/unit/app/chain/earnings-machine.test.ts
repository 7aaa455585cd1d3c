/** What a data folder knows of its miners: keys, last words, and promises in journals that may be growing. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bytesToHex } from '@noble/hashes/utils.js'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createPromises, lastNote, localMiners } from '../../../../src/app/chain/earnings-machine.ts'
import { type Home, openHome } from '../../../../src/app/home.ts'
import { openLotFolder } from '../../../../src/app/market/lot-folder.ts'
import { lotsFolder } from '../../../../src/app/mining/network-folder.ts'
import { loadNodeIdentity } from '../../../../src/app/node-identity.ts'
import { createSystem } from '../../../../src/app/system.ts'
import { hash } from '../../../../src/base/brand.ts'
import { keyPairFromSecret } from '../../../../src/core/ed25519.ts'
import { createMarketEntry } from '../../../market-entry.ts'

const { random } = createSystem({ level: 'silent' })
const LEASE = hash('01'.repeat(32))
const NETWORK = hash('02'.repeat(32))

let root: string
let home: Home
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'dllm-machine-'))
  home = await openHome({ path: join(root, 'home') })
})
afterEach(() => rm(root, { recursive: true, force: true }))

test('miners are those whose keys are here; a damaged key is nobody', async () => {
  expect(await localMiners(home, random)).toEqual([])
  await mkdir(home.file('nodes', 'a-folder.key'), { recursive: true })
  await writeFile(home.file('nodes', 'damaged.key'), 'no key')
  await writeFile(home.file('nodes', 'notes.txt'), 'no key')
  const { secretKey } = await loadNodeIdentity(home.file('nodes', 'one.key'), random)
  const peerKey = bytesToHex(keyPairFromSecret(secretKey).publicKey)
  expect(await localMiners(home, random)).toEqual([{ name: 'one', peerKey }])
})

const idle = (timeMs: number, text = 'Idle.') => JSON.stringify({ event: 'idle', timeMs, text })
test.each<[string, string[], object | undefined]>([
  ['the last reason', [idle(1), idle(2, 'Idle: paused.')], { timeMs: 2, text: 'Idle: paused.' }],
  ['a problem', [idle(1), '{"event":"problem","timeMs":3,"text":"No."}'], { timeMs: 3, text: 'No.' }],
  [
    'what stands before other news',
    [idle(1), '{"event":"paid","timeMs":3,"text":"Paid."}'],
    { timeMs: 1, text: 'Idle.' },
  ],
  ['what stands before a line that is being written', [idle(1), '{"event":"id'], { timeMs: 1, text: 'Idle.' }],
  ['nothing without a reason', ['{"event":"paid","timeMs":3,"text":"Paid."}'], undefined],
  [
    'the last of a long file',
    [...Array.from({ length: 3_000 }, (_, at) => idle(at)), idle(9e9)],
    { timeMs: 9e9, text: 'Idle.' },
  ],
])('a note is %s', async (_what, lines, expected) => {
  await mkdir(home.file('mining', 'one'), { recursive: true })
  await writeFile(home.file('mining', 'one', 'events.ndjson'), lines.map((line) => `${line}\n`).join(''))
  expect(await lastNote(home, 'one')).toEqual(expected)
  expect(await lastNote(home, 'nobody')).toBeUndefined()
})

test('a promise is what the newest voucher of a journal says, in whichever file, also while it is open', async () => {
  const promises = createPromises(home, NETWORK)
  expect(await promises.counters('one', LEASE)).toBeUndefined()
  const folder = await openLotFolder(lotsFolder(home.file('mining', 'one'), NETWORK), 1e9)
  const journal = await folder.open(LEASE)
  try {
    expect(await promises.counters('one', LEASE)).toBeUndefined()
    for (let seq = 1n; seq <= 40n; seq++) {
      await journal.append(createMarketEntry(LEASE, 500_000, seq))
      const isAsked = seq === 1n || seq > 30n
      if (isAsked) expect((await promises.counters('one', LEASE))?.decodeRows).toBe(16n * seq)
    }
    expect(await promises.counters('one', LEASE)).toEqual(await createPromises(home, NETWORK).counters('one', LEASE))
    expect(await readdir(join(lotsFolder(home.file('mining', 'one'), NETWORK), LEASE))).toContain('rows.1')
  } finally {
    await journal.close()
  }
})
