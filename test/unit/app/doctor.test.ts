import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { diagnose } from '../../../src/app/doctor/doctor.ts'
import type { Finding } from '../../../src/app/doctor/finding.ts'
import { checkProcessor } from '../../../src/app/doctor/machine.ts'
import { checkListen } from '../../../src/app/doctor/network.ts'
import { READ_STRIDE_BYTES, readKernel } from '../../../src/app/doctor/read-kernel.ts'
import { checkClock, checkNode } from '../../../src/app/doctor/runtime.ts'
import { checkModels, checkNetworks } from '../../../src/app/doctor/storage.ts'
import { webAssembly } from '../../../src/app/doctor/webassembly.ts'
import { openHome } from '../../../src/app/home.ts'
import { milliseconds } from '../../../src/base/brand.ts'
import { realClock } from '../../contract/real-clock.ts'

let root: string
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'dllm-doctor-'))
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

const signal = new AbortController().signal
const examine = async (homePath: string): Promise<Map<string, Finding>> => {
  const seen: Finding[] = []
  const findings = await diagnose(
    { homePath, signal, onFinding: (finding) => seen.push(finding) },
    { clock: realClock },
  )
  expect(seen).toEqual(findings)
  return new Map(findings.map((finding) => [finding.id, finding]))
}

describe('doctor', () => {
  test('finds what this machine has, and says what to do about everything that is not in order', async () => {
    const findings = await examine(join(root, 'home'))
    expect([...findings.keys()].sort()).toEqual(
      [
        'clock',
        'disk',
        'engine',
        'engine.gpu',
        'home',
        'memory',
        'memory.bandwidth',
        'models',
        'networks',
        'network.listen',
      ]
        .concat(['network.loopback', 'network.mdns', 'node', 'openFiles', 'processor', 'wasm'])
        .sort(),
    )
    for (const { status, advice } of findings.values()) expect(advice !== undefined).toBe(status !== 'ok')
    expect(['native', 'wasm']).toContain(findings.get('engine')?.values?.['engine'])
    expect(findings.get('memory.bandwidth')?.values?.['oneThreadBytesPerSecond']).toBeGreaterThan(0)
  })

  test('goes on without the checks of the data folder when it cannot be used', async () => {
    const path = join(root, 'file')
    writeFileSync(path, '')
    const findings = await examine(path)
    expect(findings.get('home')).toMatchObject({ status: 'fail', advice: expect.stringContaining('not a folder') })
    expect(findings.has('disk')).toBe(false)
    expect(findings.has('engine')).toBe(true)
  })

  test('says which settings name what is not there, and which network file is damaged', async () => {
    const home = await openHome({ path: join(root, 'astray') })
    expect(checkModels(home, 'nope')).toMatchObject({ status: 'warn', advice: expect.stringContaining('--default') })
    expect(checkModels(home, 'genesis')).toMatchObject({ status: 'ok' })
    expect(await checkNetworks(home, 'moon')).toMatchObject({
      ...{ status: 'warn', summary: expect.stringContaining('moon'), advice: expect.stringContaining('--default') },
    })
    await home.folder('networks')
    writeFileSync(home.file('networks', 'cut.json'), '{')
    expect(await checkNetworks(home, 'local')).toMatchObject({
      ...{ status: 'warn', summary: 'The network cut cannot be used.', advice: expect.stringContaining('cut.json') },
    })
  })

  test.each([
    ['24.21.0', 'ok'],
    ['22.12.0', 'ok'],
    ['22.11.9', 'fail'],
    ['20.20.2', 'fail'],
  ])('calls Node %s %s', (version, status) => {
    expect(checkNode(version).status).toBe(status)
  })

  test('warns of more threads than cores', () => {
    expect(checkProcessor(0).status).toBe('ok')
    expect(checkProcessor(512)).toMatchObject({ status: 'warn', values: { threads: 512 } })
  })

  test('warns of a clock behind the files of the program', async () => {
    expect(await checkClock({ ...realClock, wallMs: () => milliseconds(0) })).toMatchObject({ status: 'warn' })
    expect(await checkClock(realClock)).toMatchObject({ status: 'ok' })
  })

  test('warns of a listening port that is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : undefined
    const finding = await checkListen(`/ip4/127.0.0.1/tcp/${port}`)
    server.close()
    expect(finding).toMatchObject({ status: 'warn', advice: expect.stringContaining('EADDRINUSE') })
  })
})

describe('the read kernel', () => {
  const memory = new webAssembly.Memory({ initial: 1, maximum: 65_536, shared: true })
  const { exports } = new webAssembly.Instance(new webAssembly.Module(readKernel()), { env: { memory } })
  const read = exports['read'] as (begin: number, end: number) => number

  test('reads every byte of its range and none beside it', () => {
    const bytes = new Uint8Array(memory.buffer)
    const begin = READ_STRIDE_BYTES
    const end = begin + 3 * READ_STRIDE_BYTES
    expect(read(begin, end)).toBe(0)
    // The first 32-bit lane of the xor shows every fourth group of four bytes.
    const shown = Array.from({ length: end + READ_STRIDE_BYTES }, (_value, index) => index).filter((index) => {
      bytes[index] = 1
      const changed = read(begin, end) !== 0
      bytes[index] = 0
      return changed
    })
    expect(shown).toEqual(
      Array.from({ length: end }, (_value, index) => index).filter((index) => index >= begin && index % 16 < 4),
    )
  })
})
