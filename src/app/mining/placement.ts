/**
 * The duty that keeps a miner's placement: its segments, slots and bid, renewed before it runs out, ended where no new jobs are wanted. Where a model has no
 * place left, it takes that of the lowest deposit if its own is larger, and else waits for a change without paying for attempts.
 * Spec: docs/spec/cli.md §10, docs/spec/transactions.md §13.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { codeOf, HouseError, messageOf } from '../../base/error.ts'
import type { Place } from '../../core/transaction/place.ts'
import { dllm } from '../../core/transaction/refusals.ts'
import type { HeadView } from '../chain/chain-access.ts'
import type { ModelView } from '../chain/market-access.ts'
import { count, segmentsText } from '../chain/text-parts.ts'
import type { ChainSender } from '../market/chain-sender.ts'
import { createSerial } from '../store/serial.ts'
import { endPlacementCall, placeCall } from './calls.ts'
import type { Duty, MiningNotes } from './duty.ts'
import type { MiningMode } from './mode.ts'
import type { Sight, Survey } from './survey.ts'

/** A run of segments of a model that is offered for leases. */
export interface MinedRun {
  readonly model: Hash
  readonly first: number
  /** Exclusive. */
  readonly end: number
  readonly slots: number
}

/** What is offered. */
export interface PlacementWish extends MinedRun {
  /** Grains per CU. */
  readonly bid: bigint
  /** Grows with every start. */
  readonly incarnation: bigint
}

export interface PlacementParts {
  readonly survey: Survey
  readonly sender: ChainSender
  readonly notes: MiningNotes
  readonly wish: PlacementWish
  readonly mode: () => MiningMode
  /** ` of genesis` where there are others; default: there are none. */
  readonly ofModel?: () => string
}

export interface Placement {
  readonly duty: Duty
  readonly run: MinedRun
  /**
   * Offers another run from now on. Resolves when a block has it, or at once where nothing is placed now: then the duty places it when it can.
   * @throws what the chain refuses it with: then the former run stays.
   */
  change(run: Omit<MinedRun, 'model'>, signal: AbortSignal): Promise<void>
  /** Last block in which it is live; undefined while there is none. */
  readonly until: number | undefined
  /** Another program placed the account after this one started. */
  readonly isOutrun: boolean
  /** undefined: the model has a place for this miner, as far as is known. */
  readonly noPlace: NoPlace | undefined
  /** Ends the placement, where there is one, for good: the duty places nothing from now on. */
  end(signal: AbortSignal): Promise<void>
}

/** Blocks between two looks at what the chain has of it. */
const LOOK_BLOCKS = 15
/** Blocks after which a place is asked for again where none was left, with the same deposit. */
const FULL_BLOCKS = 30

export type PlacementStep = 'none' | 'place' | 'end'

/** `until`: of what was placed by this start, if anything. */
export function placementStep(
  { model, miner, parameters, head }: Pick<Sight, 'model' | 'miner' | 'parameters' | 'head'>,
  {
    until,
    mode,
    isThere,
  }: { readonly until: number | undefined; readonly mode: MiningMode; readonly isThere: boolean },
): PlacementStep {
  if (mode !== 'run') return isThere || until !== undefined ? 'end' : 'none'
  if (miner?.status !== 'active' || BigInt(miner.deposit) < parameters.minerDepositMin) return 'none'
  if (model === undefined || !isPlaceable(model)) return 'none'
  const isFresh = until !== undefined && until - head.height > Number(parameters.placementBlocks) / 3
  return isFresh && isThere ? 'none' : 'place'
}

/** A superseded one is audited to its end, and a vote may bring it back. */
export function isPlaceable({ status }: Pick<ModelView, 'status'>): boolean {
  return status !== 'published' && status !== 'retired'
}

const FULL = 'PLACEMENTS_FULL'

/** A model has no place for this miner. */
export interface NoPlace {
  /** Why, as a sentence. */
  readonly text: string
  /** Grains: a larger deposit takes a place; undefined: none does now. */
  readonly lowest: bigint | undefined
}

interface Refused extends NoPlace {
  readonly what: string
  /** Of this miner, when it was refused. */
  readonly deposit: string | undefined
  /** Height of the next attempt. */
  readonly again: number
}

/** Grains of the lowest deposit that gives way to a larger one; undefined: it failed for another reason, or none can give way. */
function lowestOf(error: unknown): bigint | undefined {
  if (codeOf(error) !== FULL || !(error instanceof HouseError)) return undefined
  const { lowest } = error.details
  return typeof lowest === 'string' && /^\d{1,20}$/.test(lowest) ? BigInt(lowest) : undefined
}

export function createPlacement(parts: PlacementParts): Placement {
  const { survey, sender, notes, mode, ofModel = () => '' } = parts
  const { model, incarnation } = parts.wish
  const serial = createSerial()
  let { wish } = parts
  let until: number | undefined
  let isOutrun = false
  /** The process ends: what is seen gone is not placed again. */
  let isLeaving = false
  let full: Refused | undefined

  const send = async (body: Omit<Place, 'displaces'>, { miner }: Sight, signal: AbortSignal): Promise<void> => {
    try {
      await sender.send(placeCall({ ...body, displaces: false }), signal)
    } catch (error) {
      const lowest = lowestOf(error)
      if (lowest === undefined || BigInt(miner?.deposit ?? 0) <= lowest) throw error
      // It costs more, and only now is known to be needed.
      await sender.send(placeCall({ ...body, displaces: true }), signal)
      const text = `No place was left${ofModel()}: this miner took the one with the lowest deposit, ${dllm(lowest)}.`
      notes.say({ type: 'state', text, details: { lowest: String(lowest) } })
    }
    full = undefined
  }
  /** `until`: of what was there; who had a place was displaced. */
  const tellFull = (error: unknown, { head, miner }: Sight): void => {
    const lost =
      until === undefined ? 'There is no place' : 'Another miner with a larger deposit took the place of this one'
    const what = full?.what ?? `${lost}${ofModel()}.`
    const text = `${what} ${messageOf(error)} \`dllm mine --deposit AMOUNT\` deposits as much as you say.`
    if (full === undefined) notes.say({ type: 'problem', text, details: { code: FULL } })
    full = { what, text, lowest: lowestOf(error), deposit: miner?.deposit, again: head.height + FULL_BLOCKS }
    until = undefined
  }
  const placeIfRoom = async (sight: Sight, signal: AbortSignal): Promise<void> => {
    if (full !== undefined && sight.head.height < full.again && sight.miner?.deposit === full.deposit) return
    try {
      await place(wish, sight, signal)
    } catch (error) {
      if (codeOf(error) !== FULL) throw error
      tellFull(error, sight)
    }
  }
  const place = async (asked: PlacementWish, sight: Sight, signal: AbortSignal): Promise<void> => {
    const { head, parameters } = sight
    const isNew = until === undefined || asked !== wish
    const next = head.height + Number(parameters.placementBlocks)
    await send({ ...asked, until: next }, sight, signal)
    wish = asked
    until = next
    survey.forget()
    if (!isNew) return
    const { first, end, slots, bid } = asked
    const text = `Offers ${segmentsText(first, end)}${ofModel()}, ${count(slots, 'lease')} at once, for ${bid === 0n ? 'what the price gives' : `at least ${bid} grains per CU`}.`
    notes.say({ type: 'state', text, details: { slots, bid: String(bid), until: next } })
  }
  const endIt = async (signal: AbortSignal): Promise<void> => {
    await sender.send(endPlacementCall(model, incarnation), signal).catch((error: unknown) => {
      // It ended before.
      if (codeOf(error) !== 'NO_SUCH_PLACEMENT') throw error
    })
    until = undefined
    survey.forget()
    notes.say({ type: 'state', text: `The placement${ofModel()} has ended: no new jobs come. Open ones go on.` })
  }
  const look = async (head: HeadView, signal: AbortSignal): Promise<void> => {
    const sight = await survey.at(head, signal)
    if (sight.miner === undefined) until = undefined
    const found = await survey.placement(sight.head, LOOK_BLOCKS, signal)
    // Right after it was placed, the list may be older than the placement.
    const isThere = found !== undefined && found.slots > 0
    // A change that was given up waiting for may have come into a block after all.
    const isOther = isThere && (found.first !== wish.first || found.end !== wish.end)
    const step = placementStep(sight, { until: isOther ? undefined : until, mode: mode(), isThere })
    if (step === 'place') await placeIfRoom(sight, signal)
    if (step === 'end') await endIt(signal)
  }

  return {
    get run() {
      const { first, end, slots } = wish
      return { model, first, end, slots }
    },
    get until() {
      return until
    },
    get isOutrun() {
      return isOutrun
    },
    get noPlace() {
      return full
    },
    change: (run, signal) =>
      serial(async () => {
        const asked = { ...wish, ...run }
        const sight = survey.latest
        if (sight === undefined || until === undefined || mode() !== 'run') wish = asked
        else await place(asked, sight, signal)
      }),
    duty: {
      name: 'placement',
      async look(head, signal) {
        if (isOutrun || isLeaving) return
        try {
          await serial(() => look(head, signal))
        } catch (error) {
          if (codeOf(error) !== 'STALE_INCARNATION') throw error
          isOutrun = true
          const text =
            'Another program has placed this account since this one started, or the clock of this machine went back. New jobs go there; stop it, and start this one again.'
          notes.say({ type: 'problem', text, details: { code: 'STALE_INCARNATION' } })
        }
      },
    },
    async end(signal) {
      isLeaving = true
      if (until === undefined || isOutrun) return
      await sender.send(endPlacementCall(model, incarnation), signal)
      until = undefined
    },
  }
}
