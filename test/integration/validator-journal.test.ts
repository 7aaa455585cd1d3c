/**
 * A validator in the middle of a height loses parts of its files, or its power at any operation of its disk. It starts again or
 * says with a code why not; whatever the other one then makes of it, it signs nothing against what it signed before, and stays
 * with the block that it is locked on.
 */

import { bytesToHex } from '@noble/hashes/utils.js'
import { beforeAll, describe, expect, test } from 'vitest'
import { openSignState } from '../../src/app/store/sign-state.ts'
import { codeOf, HouseError } from '../../src/base/error.ts'
import type { Block } from '../../src/core/block/block.ts'
import { ballotDigest } from '../../src/core/consensus/messages.ts'
import { encodeSignState } from '../../src/core/consensus/sign-record.ts'
import { createSimDisk, type SimDisk } from '../sim/disk.ts'
import { type FaultKind, SimulatedCrash } from '../sim/faults.ts'
import { createMemoryStore, createSimStore, type SimStore } from '../sim/store.ts'
import { createOther, type Life, networkId, type Other, selfKey, startLife, witnessOfSelf } from './lone-validator.ts'
import type { SignatureWitness } from './signature-witness.ts'

const FILES = ['journal', 'vote', 'sign-state'] as const
type Files = Readonly<Record<(typeof FILES)[number], Uint8Array>>

const other: Other = createOther()
const [first, second, third] = [0, 1, 2].map((round) => other.block(round, round)) as [Block, Block, Block]
const rival = other.block(0, 7)

/** Signed once: many lives hear them. */
const says = {
  first: other.proposal(first, 0),
  prevoteFirst: other.vote('prevote', 0, first),
  rival: [other.proposal(rival, 0), other.vote('prevote', 0, rival), other.vote('precommit', 0, undefined)],
  later: [second, third].map((block, index) => [
    other.proposal(block, index + 1),
    other.vote('prevote', index + 1, block),
    other.vote('precommit', index + 1, undefined),
  ]),
}

/** Up to a precommit for the first block: the validator is locked on it. */
async function getLocked(life: Life): Promise<void> {
  await life.hears(says.first)
  await life.waits()
  await life.hears(says.prevoteFirst)
}

/** The other one shows another block in the same round, and others in the next two, and says that it never saw a quorum. */
async function tempt(life: Life): Promise<void> {
  for (const what of says.rival) {
    await life.hears(what)
    await life.waits()
  }
  for (const [proposal, prevote, precommit] of says.later) {
    await life.hears(proposal!)
    await life.hears(prevote!)
    await life.waits()
    await life.hears(precommit!)
    await life.waits()
  }
}

function signedText(type: 'prevote' | 'precommit', round: number, block: Block | undefined): string {
  const blockHash = block && other.chain.hashOf(block)
  return bytesToHex(ballotDigest(networkId, { type, height: 1, round, blockHash }))
}

let files: Files
let before: SignatureWitness

beforeAll(async () => {
  const disk = createSimDisk(1)
  before = witnessOfSelf()
  const life = await startLife({ disk: disk.open(), store: createMemoryStore(), witness: before, isNewKey: true })
  await getLocked(life)
  disk.crash('process')
  await life.node.stop()
  files = Object.fromEntries(FILES.map((name) => [name, disk.peek(name)!])) as Files
  expect(Object.fromEntries(before.signed)).toEqual({
    'prevote 1/0': signedText('prevote', 0, first),
    'precommit 1/0': signedText('precommit', 0, first),
  })
})

function diskWith(changed: Partial<Record<(typeof FILES)[number], Uint8Array | undefined>>): SimDisk {
  const disk = createSimDisk(1)
  for (const [name, bytes] of Object.entries({ ...files, ...changed })) {
    if (bytes !== undefined) disk.poke(name, bytes)
  }
  return disk
}

/** A life with these files that is tempted; the code when it refuses to begin. */
async function liveOn(disk: SimDisk): Promise<{ refusal: string | undefined; witness: SignatureWitness }> {
  const witness = witnessOfSelf()
  for (const [place, digest] of before.signed) witness.expect(place, digest)
  try {
    const life = await startLife({ disk: disk.open(), store: createMemoryStore(), witness, isNewKey: false })
    await tempt(life)
    await life.node.stop()
    return { refusal: undefined, witness }
  } catch (error) {
    if (!(error instanceof HouseError)) throw error
    return { refusal: error.code, witness }
  }
}

describe('the journal cut at every byte', () => {
  test('leaves a validator that starts, stays locked, and contradicts nothing; or refuses in its header', async () => {
    const refusals = new Set<string>()
    for (let length = 0; length <= files.journal.length; length++) {
      const { refusal, witness } = await liveOn(diskWith({ journal: files.journal.slice(0, length) }))
      expect({ length, conflicts: witness.conflicts }).toEqual({ length, conflicts: [] })
      if (refusal !== undefined) {
        refusals.add(refusal)
        expect(length).toBeLessThan(20)
        continue
      }
      const signed = [1, 2].map((round) => witness.signed.get(`prevote 1/${round}`))
      expect({ length, signed }).toEqual({
        length,
        signed: [1, 2].map((round) => signedText('prevote', round, undefined)),
      })
    }
    expect([...refusals]).toEqual(['JOURNAL_DAMAGED'])
  })
})

test('without a lock it would prevote the block of the next round', async () => {
  const witness = witnessOfSelf()
  const disk = createSimDisk(1).open()
  const life = await startLife({ disk, store: createMemoryStore(), witness, isNewKey: true })
  await life.hears(other.vote('prevote', 0, undefined))
  await life.waits()
  await life.waits()
  await life.hears(other.vote('precommit', 0, undefined))
  await life.waits()
  await life.hears(says.later[0]![0]!)
  await life.node.stop()
  expect(witness.signed.get('prevote 1/1')).toBe(signedText('prevote', 1, second))
})

describe('the journal lost altogether', () => {
  test('leaves the lock, which is kept beside it: no prevote for another block', async () => {
    const { refusal, witness } = await liveOn(diskWith({ journal: undefined }))
    expect({ refusal, conflicts: witness.conflicts }).toEqual({ refusal: undefined, conflicts: [] })
    expect([1, 2].map((round) => witness.signed.get(`prevote 1/${round}`))).toEqual(
      [1, 2].map((round) => signedText('prevote', round, undefined)),
    )
  })
})

describe('what says what was signed', () => {
  test.each(['vote', 'sign-state'] as const)('the file %s, cut at any byte, is refused', async (name) => {
    for (let length = 0; length < files[name].length; length++) {
      const { refusal, witness } = await liveOn(diskWith({ [name]: files[name].slice(0, length) }))
      expect({ length, refusal, signed: witness.signed.size }).toEqual({
        ...{ length, refusal: 'SIGN_STATE_DAMAGED', signed: before.signed.size },
      })
    }
  })

  test.each([
    ['vote', 'SIGN_STATE_DAMAGED'],
    ['sign-state', 'SIGN_STATE_MISSING'],
  ])('the file %s, gone, is refused with %s', async (name, code) => {
    expect((await liveOn(diskWith({ [name]: undefined }))).refusal).toBe(code)
  })

  test.each([
    ['imported: where it stands is known, but not what it is locked on', undefined],
    ['of a later time than the newest vote', 'vote'],
  ])('a sign state that was %s signs nothing more at that height', async (_how, kept) => {
    const disk = diskWith({ ...(kept === undefined ? { vote: undefined } : {}), journal: undefined })
    const raised = { height: 1, round: 0, step: 'precommit' } as const
    const state = await openSignState(disk.open(), { networkId, publicKey: selfKey })
    if (kept === undefined)
      disk.poke('sign-state', encodeSignState({ ...state.state(), last: { ...raised, signed: undefined } }))
    else
      disk.poke('sign-state', encodeSignState({ ...state.state(), last: { ...raised, round: 1, signed: undefined } }))
    const { refusal, witness } = await liveOn(disk)
    expect({ refusal, conflicts: witness.conflicts }).toEqual({ refusal: undefined, conflicts: [] })
    expect(witness.signed.size).toBe(before.signed.size)
  })
})

const CUTS: readonly FaultKind[] = ['crash', 'tear', 'crash-after']

describe.each(['disk', 'store'] as const)('the power cut at each operation of its %s', (where) => {
  test.each(CUTS)('with a %s: it starts again and contradicts nothing', async (kind) => {
    for (let operation = 1; ; operation++) {
      const disk = createSimDisk(operation)
      const store = createSimStore(operation)
      const machine = { disk, store }
      const witness = witnessOfSelf()
      const count = machine[where].count()
      machine[where].plan(operation, kind)
      const hasCrashed = await runUntilCrash(machine, witness)
      const again = await startLife({
        disk: disk.open(),
        store: store.open(),
        witness,
        isNewKey: disk.peek('sign-state') === undefined,
      })
      await tempt(again)
      await again.node.stop()
      expect({ operation, conflicts: witness.conflicts }).toEqual({ operation, conflicts: [] })
      if (!hasCrashed) {
        expect(operation).toBeGreaterThan(where === 'disk' ? 8 : 1)
        expect(machine[where].count()).toBeGreaterThan(count)
        return
      }
    }
  })
})

/** The first life; whether its power was cut. */
async function runUntilCrash(
  { disk, store }: { disk: SimDisk; store: SimStore },
  witness: SignatureWitness,
): Promise<boolean> {
  const isCut = Promise.withResolvers<true>()
  const run = async (): Promise<false> => {
    const life = await startLife({ disk: disk.open(), store: store.open(), witness, isNewKey: true })
    void life.node.failed.then(() => isCut.resolve(true))
    await getLocked(life)
    await life.node.stop()
    return false
  }
  try {
    return await Promise.race([run(), isCut.promise])
  } catch (error) {
    if (error instanceof SimulatedCrash) return true
    throw error
  }
}

describe.each(['disk', 'store'] as const)('a %s that fails', (where) => {
  test('stops the node with a code before anything is said that is not kept', async () => {
    for (let operation = 1; ; operation++) {
      const machine = { disk: createSimDisk(operation), store: createSimStore(operation) }
      const witness = witnessOfSelf()
      machine[where].plan(operation, 'fail')
      const failure = await failureOf(machine, witness)
      if (failure === undefined) return
      expect(codeOf(failure)).toBe('STORE_DISK_FULL')
      const isNewKey = machine.disk.peek('sign-state') === undefined
      const again = await startLife({ disk: machine.disk.open(), store: machine.store.open(), witness, isNewKey })
      await tempt(again)
      await again.node.stop()
      expect({ operation, conflicts: witness.conflicts }).toEqual({ operation, conflicts: [] })
    }
  })
})

/** With what a first life ended before its end. */
async function failureOf(
  { disk, store }: { disk: SimDisk; store: SimStore },
  witness: SignatureWitness,
): Promise<unknown> {
  try {
    const life = await startLife({ disk: disk.open(), store: store.open(), witness, isNewKey: true })
    await getLocked(life)
    const failure = await Promise.race([life.node.failed, Promise.resolve()])
    await life.node.stop()
    return failure
  } catch (error) {
    return error
  }
}
