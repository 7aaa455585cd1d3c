import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSignState, openSignState, type SignStateFile } from '../../../../src/app/store/sign-state.ts'
import { hash } from '../../../../src/base/brand.ts'
import { codeOf } from '../../../../src/base/error.ts'
import {
  comparePositions,
  SIGN_STEPS,
  type SignPosition,
  type SignRequest,
  type SignStep,
} from '../../../../src/core/consensus/sign-guard.ts'
import { createSimDisk, type SimDisk } from '../../../sim/disk.ts'
import { FAULT_KINDS, type FaultKind, SimulatedCrash } from '../../../sim/faults.ts'

const IDENTITY = { networkId: hash('ab'.repeat(32)), publicKey: new Uint8Array(32).fill(7) }
const STRANGER = { ...IDENTITY, publicKey: new Uint8Array(32).fill(8) }

function request(height: number, round: number, step: SignStep, fill: number): SignRequest {
  return { height, round, step, digest: new Uint8Array(32).fill(fill) }
}

/** Twice the digest: tells what was signed. */
function sign(digest: Uint8Array): Uint8Array {
  return Uint8Array.from([...digest, ...digest])
}

describe('a sign state', () => {
  test('gives a signature once it is on disk, and the same one again after a restart', async () => {
    const disk = createSimDisk(1)
    const file = await createSignState(disk.open(), IDENTITY)
    const vote = request(1, 0, 'prevote', 1)
    const signature = await file.sign(vote, sign)
    expect(signature).toEqual(sign(vote.digest))
    disk.crash('power')
    const reopened = await openSignState(disk.open(), IDENTITY)
    const never = () => {
      throw new Error('signed again')
    }
    expect(await reopened.sign(vote, never)).toEqual(signature)
    expect(reopened.state()).toEqual(file.state())
  })

  test('refuses what the key must not sign, with a sentence', async () => {
    const file = await createSignState(createSimDisk(1).open(), IDENTITY)
    await file.sign(request(2, 1, 'prevote', 1), sign)
    for (const bad of [request(2, 1, 'prevote', 2), request(2, 1, 'propose', 1), request(1, 9, 'precommit', 1)]) {
      await expect(file.sign(bad, sign)).rejects.toMatchObject({
        code: 'DOUBLE_SIGN_REFUSED',
        message: expect.stringContaining('no other machine uses the key'),
      })
    }
  })

  test('answers requests one after the other, also when nobody waits', async () => {
    const file = await createSignState(createSimDisk(1).open(), IDENTITY)
    const answers = await Promise.allSettled([1, 2, 3].map((fill) => file.sign(request(1, 0, 'prevote', fill), sign)))
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected'])
  })

  test.each<[string, (disk: SimDisk) => Promise<unknown>, string]>([
    ['missing', (disk) => openSignState(disk.open(), IDENTITY), 'SIGN_STATE_MISSING'],
    [
      'there already',
      async (disk) => {
        await createSignState(disk.open(), IDENTITY)
        await createSignState(disk.open(), IDENTITY)
      },
      'SIGN_STATE_EXISTS',
    ],
    [
      'damaged, also for who would create one',
      async (disk) => {
        disk.poke('sign-state', new Uint8Array())
        await createSignState(disk.open(), IDENTITY)
      },
      'SIGN_STATE_EXISTS',
    ],
    [
      'cut short',
      async (disk) => {
        await createSignState(disk.open(), IDENTITY)
        disk.poke('sign-state', disk.peek('sign-state')!.subarray(0, -1))
        await openSignState(disk.open(), IDENTITY)
      },
      'SIGN_STATE_DAMAGED',
    ],
    [
      'of another key',
      async (disk) => {
        await createSignState(disk.open(), IDENTITY)
        await openSignState(disk.open(), STRANGER)
      },
      'SIGN_STATE_FOREIGN',
    ],
  ])('that is %s is refused', async (_what, use, code) => {
    await expect(use(createSimDisk(1))).rejects.toMatchObject({ code })
  })

  test('that could not be written gives nothing out, and the key may still sign something else', async () => {
    const disk = createSimDisk(1)
    const file = await createSignState(disk.open(), IDENTITY)
    disk.plan(1, 'fail')
    await expect(file.sign(request(1, 0, 'prevote', 1), sign)).rejects.toMatchObject({ code: 'STORE_DISK_FULL' })
    expect(await file.sign(request(1, 0, 'prevote', 2), sign)).toEqual(sign(new Uint8Array(32).fill(2)))
  })

  test('moves to another machine by its interchange text, which only raises it', async () => {
    const old = await createSignState(createSimDisk(1).open(), IDENTITY)
    await old.sign(request(5, 1, 'precommit', 1), sign)
    const disk = createSimDisk(2)
    const moved = await createSignState(disk.open(), IDENTITY)
    expect(await moved.import(old.export())).toBe(true)
    expect(await moved.import(old.export())).toBe(false)
    const reopened = await openSignState(disk.open(), IDENTITY)
    await expect(reopened.sign(request(5, 1, 'precommit', 1), sign)).rejects.toMatchObject({
      code: 'DOUBLE_SIGN_REFUSED',
    })
    await reopened.sign(request(5, 2, 'propose', 1), sign)
    expect(await reopened.import(old.export())).toBe(false)
    expect(reopened.state().last).toMatchObject({ height: 5, round: 2 })
  })

  test('is raised for good over a height whose promises were lost', async () => {
    const disk = createSimDisk(1)
    const file = await createSignState(disk.open(), IDENTITY)
    const end = { height: 7, round: 2 ** 20, step: 'precommit' } as const
    expect([await file.raise(end), await file.raise({ ...end, height: 6 })]).toEqual([true, false])
    const reopened = await openSignState(disk.open(), IDENTITY)
    await expect(reopened.sign(request(7, 3, 'prevote', 1), sign)).rejects.toMatchObject({
      code: 'DOUBLE_SIGN_REFUSED',
    })
    await reopened.sign(request(8, 0, 'propose', 1), sign)
  })

  test('keeps what it knows of a position that is also imported', async () => {
    const file = await createSignState(createSimDisk(1).open(), IDENTITY)
    const vote = request(5, 1, 'precommit', 1)
    await file.sign(vote, sign)
    expect(await file.import(file.export())).toBe(false)
    expect(await file.sign(vote, sign)).toEqual(sign(vote.digest))
  })
})

interface Step {
  readonly position: SignPosition
  readonly fill: number
  readonly fault: FaultKind | undefined
  readonly restart: 'power' | 'process' | undefined
}

const step: fc.Arbitrary<Step> = fc.record({
  position: fc.record({
    height: fc.integer({ min: 1, max: 3 }),
    round: fc.integer({ min: 0, max: 2 }),
    step: fc.constantFrom(...SIGN_STEPS),
  }),
  fill: fc.integer({ min: 1, max: 3 }),
  fault: fc.option(fc.constantFrom(...FAULT_KINDS), { nil: undefined, freq: 2 }),
  restart: fc.option(fc.constantFrom('power', 'process'), { nil: undefined, freq: 5 }),
})

/** Carries out a sequence of requests over a disk with faults; gives what was let out, in order. */
async function play(seed: number, steps: readonly Step[]): Promise<[SignPosition, number][]> {
  const disk = createSimDisk(seed)
  let file: SignStateFile = await createSignState(disk.open(), IDENTITY)
  const restart = async () => {
    file = await openSignState(disk.open(), IDENTITY)
  }
  const released: [SignPosition, number][] = []
  for (const { position, fill, fault, restart: kind } of steps) {
    if (kind !== undefined) {
      disk.crash(kind)
      await restart()
    }
    if (fault !== undefined) disk.plan(1, fault)
    try {
      const signature = await file.sign({ ...position, digest: new Uint8Array(32).fill(fill) }, sign)
      released.push([position, signature[0]!])
    } catch (error) {
      if (error instanceof SimulatedCrash) await restart()
      else expect(codeOf(error)).toMatch(/^DOUBLE_SIGN_REFUSED$|^STORE_/)
    }
  }
  return released
}

describe('over any requests, faults and crashes', () => {
  test('no two different bytes are let out for one position, and none of an earlier one', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.array(step, { maxLength: 40 }), async (seed, steps) => {
        const released = await play(seed, steps)
        released.forEach(([position, fill], index) => {
          const [before, fillBefore] = released[index - 1] ?? [undefined, undefined]
          if (before === undefined) return
          const order = comparePositions(position, before)
          expect(order).toBeGreaterThanOrEqual(0)
          if (order === 0) expect(fill).toBe(fillBefore)
        })
      }),
      { numRuns: 1000 },
    )
  })

  test.each(FAULT_KINDS)('a %s at any one disk operation changes nothing of that', async (kind) => {
    const heights = [1, 1, 2, 2, 3]
    for (let operation = 1; operation <= 12; operation++) {
      const disk = createSimDisk(operation)
      let file = await createSignState(disk.open(), IDENTITY)
      disk.plan(operation, kind)
      const released = new Map<string, number>()
      for (const [index, height] of [...heights, ...heights.slice(-1)].entries()) {
        for (const name of SIGN_STEPS) {
          const wanted = request(height, 0, name, index + 1)
          const outcome = await file.sign(wanted, sign).catch((error: unknown) => error)
          if (outcome instanceof SimulatedCrash) file = await openSignState(disk.open(), IDENTITY)
          if (!(outcome instanceof Uint8Array)) continue
          const key = `${height} ${name}`
          expect(released.get(key) ?? outcome[0]).toBe(outcome[0])
          released.set(key, outcome[0]!)
        }
      }
    }
  })
})
