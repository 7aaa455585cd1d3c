import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { encodeVerdicts, type KeptVerdict, openVerdictStore } from '../../../../src/app/audit/verdict-store.ts'
import { openDisk } from '../../../../src/app/store/disk.ts'
import { type Hash, hash } from '../../../../src/base/brand.ts'
import { AUDIT_LIMITS } from '../../../../src/base/limits.ts'

const hashOf = (number: number): Hash => hash(number.toString(16).padStart(64, '0'))

function verdict(number: number, more: Partial<KeptVerdict> = {}): KeptVerdict {
  const audit = { lease: hashOf(number), lot: 2, window: 70_000 }
  return { audit, finding: hashOf(1_000 + number), salt: hashOf(2_000 + number), dueHeight: 90, ...more }
}

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dllm-verdicts-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const open = async () => openVerdictStore(await openDisk(folder))

test('what was kept is there after a restart, until it is forgotten', async () => {
  const first = await open()
  await first.keep(verdict(1))
  await first.keep(verdict(2))
  await first.close()
  const second = await open()
  expect(second.all()).toEqual([verdict(1), verdict(2)])
  expect(second.find(verdict(2).audit)).toEqual(verdict(2))
  expect(second.find({ ...verdict(2).audit, lot: 1 })).toBeUndefined()
  await second.forget([verdict(1).audit, verdict(9).audit])
  await second.close()
  expect((await open()).all()).toEqual([verdict(2)])
})

test('an audit has one verdict: the one that was kept last', async () => {
  const store = await open()
  await store.keep(verdict(1))
  await store.keep(verdict(1, { salt: hashOf(7) }))
  expect(store.all()).toEqual([verdict(1, { salt: hashOf(7) })])
})

test('no more are kept than can be read again', async () => {
  const { audit, ...rest } = verdict(1)
  const many = Array.from({ length: AUDIT_LIMITS.verdictsMax }, (_, window) => ({
    ...rest,
    audit: { ...audit, window },
  }))
  await writeFile(join(folder, 'verdicts'), encodeVerdicts(many))
  const full = await open()
  await expect(full.keep(verdict(2))).rejects.toMatchObject({ code: 'AUDIT_TOO_MANY' })
  await full.keep({ ...many[5]!, dueHeight: 91 })
  await full.close()
  expect((await open()).all()).toHaveLength(AUDIT_LIMITS.verdictsMax)
})

test('a damaged file is refused, and not written over', async () => {
  await writeFile(join(folder, 'verdicts'), Uint8Array.of(1, 0, 0, 0, 5))
  await expect(open()).rejects.toMatchObject({ code: 'CODEC_TRUNCATED' })
})
