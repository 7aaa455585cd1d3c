/**
 * A BatchRunner whose sessions outlive their device: what each session has put in is kept, and when the device is gone, or has no memory for a
 * session after all, an engine on the processor computes it again and goes on. Numbers are exact, so the session's peers notice the time only.
 * Spec: docs/spec/gpu.md §5.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { milliseconds } from '../../base/brand.ts'
import { messageOf } from '../../base/error.ts'
import { type CacheId, EngineError, type StepInput, type StepOutput } from '../../ml/engine/engine.ts'
import type { LayerRange } from '../../ml/tensors.ts'
import type { BatchRunner } from '../engine-host.ts'
import { createInputRecord, type InputRecord } from './input-record.ts'

export interface LastingOptions {
  /** Starts the engine that takes over; asked once. */
  readonly openSpare: () => Promise<BatchRunner>
  /** Told once, when the device is gone; sessions go on. */
  readonly onLost: (why: EngineError) => void
}

interface Session {
  readonly capacity: number
  readonly part: LayerRange | undefined
  readonly record: InputRecord
  /** Where its cache is. */
  place: { readonly runner: BatchRunner; readonly cache: CacheId }
}

interface Entry {
  readonly index: number
  readonly step: StepInput
  readonly session: Session
}

/** `device`: closed with this one. */
export function createLastingRunner(device: BatchRunner, options: LastingOptions): BatchRunner {
  const sessions = new Map<CacheId, Session>()
  const moves = createMoves(device, { ...options, sessions })
  let nextId: CacheId = 1

  const sessionOf = (id: CacheId): Session => {
    const session = sessions.get(id)
    assert(session, 'the cache is open')
    return session
  }
  const run = createRun(device, moves)

  return {
    engine: device.engine,
    device: device.device,
    weightBytes: device.weightBytes,
    config: device.config,
    async openCache(capacity, part) {
      await moves.settled()
      const open = async (runner: BatchRunner) => ({ runner, cache: await runner.openCache(capacity, part) })
      const place = await open(moves.isGone() ? await moves.spare() : device).catch(async (error: unknown) => {
        if (!isLoss(error) || moves.isGone()) throw error
        await moves.leave(error)
        return open(await moves.spare())
      })
      const id = nextId++
      const record = createInputRecord(capacity, device.config.hiddenSize)
      sessions.set(id, { capacity, part, record, place })
      return id
    },
    async closeCache(id) {
      const session = sessionOf(id)
      // At once: one that waits to be moved is not moved.
      sessions.delete(id)
      await moves.settled()
      const { place } = session
      if (place.runner === device && moves.isGone()) return
      await place.runner.closeCache(place.cache)
    },
    async shareCache(from, to, rows) {
      await moves.settled()
      const [source, target] = [sessionOf(from), sessionOf(to)]
      const { runner, cache } = source.place
      const there = target.place
      if (there.runner !== runner) throw apart()
      await runner.shareCache(cache, there.cache, rows)
      if (runner !== device) return
      // Lost meanwhile: sessions move without what they were to share.
      if (target.place !== there || moves.isGone()) throw apart()
      for (const piece of source.record.pieces(rows)) target.record.note(piece)
    },
    async run(batch) {
      await moves.settled()
      return run(batch.map((step, index): Entry => ({ index, step, session: sessionOf(step.cache) })))
    },
    ...{ lost: moves.lost, leaving: moves.leaving, moved: moves.moved },
    close: () => moves.close(),
  }
}

/** Who computes where, and how sessions come from the device to the spare. */
interface Moves {
  spare(): Promise<BatchRunner>
  /** Fills a cache of the spare with what the session has put in. */
  move(session: Session): Promise<void>
  /** The device is gone: resolves when all its sessions are elsewhere. */
  leave(error: EngineError): Promise<void>
  isGone(): boolean
  /** Resolves when no session is on its way. */
  settled(): Promise<void>
  readonly lost: Promise<EngineError>
  /** Resolves when the device is gone, before its sessions go elsewhere. */
  readonly leaving: Promise<void>
  /** Resolves when the device is gone and its sessions are elsewhere: where. */
  readonly moved: Promise<BatchRunner['engine']>
  close(): Promise<void>
}

function createMoves(
  device: BatchRunner,
  { openSpare, onLost, sessions }: LastingOptions & { readonly sessions: ReadonlyMap<CacheId, Session> },
): Moves {
  const lost = Promise.withResolvers<EngineError>()
  const moved = Promise.withResolvers<BatchRunner['engine']>()
  const leaving = Promise.withResolvers<void>()
  let gone: EngineError | undefined
  let opening: Promise<BatchRunner> | undefined
  let moving: Promise<void> | undefined
  let isClosing = false

  const open = async (): Promise<BatchRunner> => {
    const runner = await openSpare()
    void runner.lost.then((error) => lost.resolve(error))
    return runner
  }
  const spare = (): Promise<BatchRunner> => {
    opening ??= open()
    return opening
  }
  const move = async (session: Session): Promise<void> => {
    const runner = await spare()
    const { capacity, part, place } = session
    const cache = await runner.openCache(capacity, part)
    for (const { position, input } of session.record.pieces()) {
      await runner.run([{ cache, position, input, logits: 'none' }])
    }
    session.place = { runner, cache }
    await place.runner.closeCache(place.cache).catch(() => undefined)
  }
  const moveAll = async (why: EngineError): Promise<void> => {
    try {
      const { engine } = await spare()
      for (const session of sessions.values()) if (session.place.runner === device) await move(session)
      moved.resolve(engine)
    } catch (cause) {
      const message = `${why.message} The engine that was to take over does not run either: ${messageOf(cause)}`
      const failure = new EngineError('ENGINE_UNAVAILABLE', message, { cause })
      lost.resolve(failure)
      throw failure
    }
  }
  const leave = (error: EngineError): Promise<void> => {
    if (isClosing) return Promise.reject(error)
    if (gone === undefined) onLost(error)
    const why = gone ?? error
    gone = why
    leaving.resolve()
    // A cache that was being opened when the device went comes after the others.
    moving = (moving ?? Promise.resolve()).then(() => moveAll(why))
    return moving
  }
  void device.lost.then((error) => leave(error).catch(() => undefined))

  return {
    ...{ spare, move, leave, isGone: () => gone !== undefined },
    ...{ lost: lost.promise, leaving: leaving.promise, moved: moved.promise },
    async settled() {
      await moving
    },
    async close() {
      isClosing = true
      await moving?.catch(() => undefined)
      await device.close()
      await (await opening?.catch(() => undefined))?.close()
    },
  }
}

type Run = (entries: readonly Entry[]) => ReturnType<BatchRunner['run']>

function createRun(device: BatchRunner, moves: Moves): Run {
  /** Leaves out what must be computed elsewhere. */
  const onDevice = async (entries: readonly Entry[], outputs: StepOutput[]): Promise<number> => {
    if (entries.length === 0) return 0
    try {
      const run = await device.run(entries.map(({ step, session }) => copyOf(step, session.place.cache)))
      // Lost meanwhile (of several GPUs another one): sessions moved without this step, which their new caches need as well.
      if (moves.isGone()) {
        await moves.settled()
        return 0
      }
      for (const [at, { index, step, session }] of entries.entries()) {
        const output = run.outputs[at]!
        const { position, input } = step
        if (output.type !== 'failed') session.record.note({ position, input })
        const isMoved = isTooLarge(output) && (await moves.move(session).then(yes, no))
        if (!isMoved) outputs[index] = output
      }
      return run.computeMs
    } catch (error) {
      if (!isLoss(error)) throw error
      await moves.leave(error)
      return 0
    }
  }
  const onSpare = async (entries: readonly Entry[], outputs: StepOutput[]): Promise<number> => {
    if (entries.length === 0) return 0
    const runner = await moves.spare()
    const run = await runner.run(entries.map(({ step, session }) => ({ ...step, cache: session.place.cache })))
    for (const [at, { index }] of entries.entries()) outputs[index] = run.outputs[at]!
    return run.computeMs
  }

  return async (entries) => {
    const outputs: StepOutput[] = []
    const first = entries.filter(({ session }) => session.place.runner === device)
    const deviceMs = await onDevice(first, outputs)
    const rest = entries.filter(({ index }) => outputs[index] === undefined)
    return { outputs, computeMs: milliseconds(deviceMs + (await onSpare(rest, outputs))) }
  }
}

/** Runners may take the rows with them; a step that may have to run again keeps its own. */
function copyOf(step: StepInput, cache: CacheId): StepInput {
  const { input } = step
  if (input.type === 'tokens') return { ...step, cache }
  return { ...step, cache, input: { type: 'hidden', values: input.values.slice() } }
}

function apart(): EngineError {
  return new EngineError('ENGINE_UNAVAILABLE', 'The caches are in different engines.')
}

function isLoss(error: unknown): error is EngineError {
  return error instanceof EngineError && error.code === 'ENGINE_UNAVAILABLE'
}

function isTooLarge(output: StepOutput): boolean {
  return output.type === 'failed' && output.error.code === 'ENGINE_OUT_OF_MEMORY'
}

const yes = (): boolean => true
const no = (): boolean => false
