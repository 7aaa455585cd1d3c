/** What a miner keeps in the data folder: its mode and its notes. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Home, openHome } from '../../../../src/app/home.ts'
import type { MiningEvent } from '../../../../src/app/mining/duty.ts'
import { readMode, writeMode } from '../../../../src/app/mining/mode.ts'
import { createMiningNotes, createOnce, EVENTS_FILE } from '../../../../src/app/mining/notes.ts'
import { modeText, setMode } from '../../../../src/app/mining/set-mode.ts'
import { MINING_LIMITS } from '../../../../src/base/chain-limits.ts'
import type { Log } from '../../../../src/base/ports.ts'
import { createFakeClock } from '../../../fake-clock.ts'

const silent: Log = { write: () => undefined }
const NOTE: MiningEvent = { type: 'claimed', text: 'Claimed 1 DLLM.', details: { lease: 'ab' } }
let root: string
let home: Home

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'dllm-mining-'))
  home = await openHome({ path: join(root, 'home') })
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

describe('the mode', () => {
  test('is what was written last, and none is to run', async () => {
    const folder = await home.folder('mining', 'm')
    expect(await readMode(folder)).toBe('run')
    for (const mode of ['pause', 'drain', 'run'] as const) {
      await writeMode(folder, mode)
      expect(await readMode(folder)).toBe(mode)
    }
  })

  test.each(['', '{', 'null', '[]', '{"mode":7}', '{"mode":"sleep"}'])(
    'is to run where the file says %j',
    async (text) => {
      const folder = await home.folder('mining', 'm')
      writeFileSync(join(folder, 'mode.json'), text)
      expect(await readMode(folder)).toBe('run')
    },
  )

  test('is set by name, and the answer says what it was', async () => {
    await home.folder('mining', 'm')
    const change = await setMode(home, 'm', 'drain')
    expect(change).toEqual({ name: 'm', mode: 'drain', before: 'run', running: false })
    expect(modeText(change)).toContain('its deposit returns to the operator account')
    expect(modeText(change)).toContain('It does not run now')
    expect(modeText(await setMode(home, 'm', 'drain'))).toContain('drains already')
    expect(await setMode(home, 'm', 'run')).toMatchObject({ before: 'drain', mode: 'run' })
  })

  test.each([
    ['a name that nobody has', 'x', 'MINER_UNKNOWN', 'No miner called x mined for pay in this data folder. Known: m;'],
    ['a miner that serves for nothing', 'free', 'MINER_UNKNOWN', 'serves for nothing'],
    ['what is no name', '../m', 'USAGE', '--name takes letters'],
  ])('is not set for %s', async (_case, name, code, words) => {
    await home.folder('mining', 'm')
    mkdirSync(home.file('nodes'))
    writeFileSync(home.file('nodes', 'free.key'), '')
    await expect(setMode(home, name, 'pause')).rejects.toMatchObject({ code, message: expect.stringContaining(words) })
  })
})

describe('notes', () => {
  const notesIn = (folder: string) => {
    const printed: string[] = []
    const emitted: object[] = []
    const sinks = {
      print: (line: string) => void printed.push(line),
      emit: (value: object) => void emitted.push(value),
    }
    return {
      notes: createMiningNotes({ folder, ...sinks }, { clock: createFakeClock(), log: silent }),
      printed,
      emitted,
    }
  }

  test('are printed, emitted and kept for the owner alone', () => {
    const folder = join(root, 'm')
    const { notes, printed, emitted } = notesIn(folder)
    notes.say(NOTE)
    notes.say({ type: 'idle', text: 'Idle: paused.' })
    const told = { event: 'claimed', timeMs: 1_750_000_001_000, text: NOTE.text, details: NOTE.details }
    expect(printed).toEqual([NOTE.text, 'Idle: paused.'])
    expect(emitted[0]).toEqual({ type: 'mining', ...told })
    const lines = readFileSync(join(folder, EVENTS_FILE), 'utf8').trim().split('\n')
    expect(lines.map((line) => JSON.parse(line) as object)).toEqual([told, expect.objectContaining({ event: 'idle' })])
    expect(statSync(join(folder, EVENTS_FILE)).mode & 0o777).toBe(0o600)
  })

  test('go on after a restart, and a full file makes way with one older kept', () => {
    const folder = join(root, 'm')
    const long = { ...NOTE, text: 'x'.repeat(MINING_LIMITS.eventsBytesMax / 4) }
    for (let life = 0; life < 8; life++) notesIn(folder).notes.say(long)
    const size = (name: string): number => statSync(join(folder, name)).size
    expect(size(EVENTS_FILE)).toBeLessThanOrEqual(MINING_LIMITS.eventsBytesMax)
    expect(size(`${EVENTS_FILE}.1`)).toBeLessThanOrEqual(MINING_LIMITS.eventsBytesMax)
    expect(size(EVENTS_FILE) + size(`${EVENTS_FILE}.1`)).toBeGreaterThan(MINING_LIMITS.eventsBytesMax)
  })

  test('that cannot be written stop nobody', () => {
    const folder = join(root, 'm')
    const { notes, printed } = notesIn(folder)
    rmSync(folder, { recursive: true })
    notes.say(NOTE)
    expect(printed).toEqual([NOTE.text])
  })

  test('are said again only after a while', () => {
    const said: MiningEvent[] = []
    const clock = createFakeClock()
    const once = createOnce({ say: (event) => void said.push(event) }, clock, 10_000)
    for (const advance of [0, 9_999, 1]) {
      clock.advance(advance)
      once.say('a', NOTE)
      once.say('b', NOTE)
    }
    expect(said).toHaveLength(4)
    for (let key = 0; key <= MINING_LIMITS.onceMax; key++) once.say(`key ${key}`, NOTE)
    once.say('a', NOTE)
    expect(said).toHaveLength(4 + MINING_LIMITS.onceMax + 2)
  })
})
