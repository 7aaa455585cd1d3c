/**
 * How many drafts a step takes along: enough that what they are expected to save is more than what their rows cost, and none where it is not. Learns from what comes
 * back how often drafts are right, and what a step takes with and without them; drafts that were not sent are compared too, which costs nothing.
 * What was lost by drafts is kept below a hundredth of all time. Pure, and the same for the same inputs.
 * Spec: docs/spec/wire.md §4.9.
 * @module
 */
import { DEADLINES } from '../base/limits.ts'

/** Where drafts come from, which says how good they are: a text's own past, by the length of what matched, or a small model. */
export type DraftSource = 'short' | 'middle' | 'long' | 'model'

/** A step that came back. */
export interface DraftTrip {
  /** Of the drafts that went along. */
  readonly source: DraftSource
  /** Drafts that went along. */
  readonly sent: number
  /** Tokens that came of it: one at least. */
  readonly gained: number
  /** From the start of the step, or of a model's drafting for it, until its tokens were here. */
  readonly ms: number
  /** What of it the rows took in the engine here. */
  readonly computeMs: number
}

export interface DraftChoice {
  /** Drafts worth sending. */
  readonly drafts: number
  /** Tokens per millisecond that are expected then; 0 where nothing is known. */
  readonly rate: number
}

export interface DraftWindow {
  /** Of `count` drafts. */
  choose(source: DraftSource, count: number): DraftChoice
  /** Of drafts in their order, `right` were what came, and then one was not, if `missed`. */
  compare(source: DraftSource, compared: { readonly right: number; readonly missed: boolean }): void
  learn(trip: DraftTrip): void
}

/** Chances before anything is known, and how many comparisons that is worth. */
const FIRST_CHANCE: Readonly<Record<DraftSource, number>> = { short: 0.3, middle: 0.6, long: 0.85, model: 0.6 }
const FIRST_WEIGHT = 2
/** Of a comparison, one comparison later. */
const COMPARED_DECAY = 0.95
/** Of what a model's drafts were worth, one trip later: who is not asked gets another chance. */
const ASKED_DECAY = 0.99
/** Of a trip, one trip later. */
const TRIP_DECAY = 0.97
/** What the guess of a row's cost is worth, as rows squared. */
const GUESS_WEIGHT = 8
/** Rows of one step share the reading of weights; a guess until it is measured. */
const ROW_SHARE = 0.5
/** Drafts of a step before all of some step were right. What a row costs is measured with steps like it, and a longer one only seems so from afar. */
const FIRST_REACH = 15
/** Less is not worth the risk. */
const GAIN_MIN = 1.02
/** Of all time, what drafts may lose, and how many steps' time at first. */
const LOSS_SHARE = 0.01
const LOSS_STEPS = 1
/** What was saved pays for so many steps of losses, not for more. */
const SAVED_STEPS_MAX = 4
/** A row takes at most as long as a step of one: so a step with drafts stays far below its deadline, also where a row's cost was hardly measured. */
const STEP_MS_MAX = DEADLINES.decodeStepMs / 2
/** A trip that takes longer was held up by something else. */
const STALL = 4

export function sourceOf(match: number): DraftSource {
  if (match >= 8) return 'long'
  return match >= 4 ? 'middle' : 'short'
}

/** `stages`: of the ring; a guess at what a row costs follows from what it costs here. */
export function createDraftWindow(stages: number): DraftWindow {
  const right: Record<DraftSource, number> = { short: 0, middle: 0, long: 0, model: 0 }
  const compared: Record<DraftSource, number> = { short: 0, middle: 0, long: 0, model: 0 }
  const ofPast = createTripTimes(stages)
  const ofModel = createTripTimes(stages)
  /** Milliseconds that drafts have saved, less those that they have cost. */
  let saved = 0
  let allowed = 0

  const chanceOf = (source: DraftSource): number =>
    (right[source] + FIRST_WEIGHT * FIRST_CHANCE[source]) / (compared[source] + FIRST_WEIGHT)

  return {
    choose(source, count) {
      const { stepMs, rowMs, reach } = source === 'model' ? ofModel : ofPast
      if (stepMs === undefined) return { drafts: 0, rate: 0 }
      if (saved < -allowed - LOSS_STEPS * stepMs) return { drafts: 0, rate: 1 / stepMs }
      const chance = chanceOf(source)
      let [best, bestRate] = [0, GAIN_MIN / stepMs]
      let expected = 1
      let likely = 1
      const rowMsMax = reach > FIRST_REACH ? Math.min(stepMs, STALL * rowMs) : stepMs
      const most = Math.min(count, reach)
      for (let drafts = 1; drafts <= most && stepMs + drafts * rowMsMax <= STEP_MS_MAX; drafts++) {
        likely *= chance
        expected += likely
        const rate = expected / (stepMs + drafts * rowMs)
        if (rate <= bestRate) continue
        best = drafts
        bestRate = rate
      }
      return { drafts: best, rate: bestRate }
    },
    compare(source, { right: more, missed }) {
      for (let index = 0; index < more + (missed ? 1 : 0); index++) {
        right[source] = COMPARED_DECAY * right[source] + (index < more ? 1 : 0)
        compared[source] = COMPARED_DECAY * compared[source] + 1
      }
    },
    learn(trip) {
      const { source, sent, ms } = trip
      const times = source === 'model' ? ofModel : ofPast
      const before = times.stepMs
      if (sent === 0 || source !== 'model') ofPast.learn(trip)
      if (sent === 0 || source === 'model') ofModel.learn(trip)
      if (source !== 'model') {
        right.model *= ASKED_DECAY
        compared.model *= ASKED_DECAY
      }
      allowed += LOSS_SHARE * ms
      if (before === undefined || sent === 0) return
      const gain = trip.gained * before - Math.min(ms, STALL * (before + sent * times.rowMs))
      saved = Math.min(saved + gain, SAVED_STEPS_MAX * before)
    },
  }
}

interface TripTimes {
  /** Of a step without drafts; undefined until one was seen. */
  readonly stepMs: number | undefined
  /** More for each draft. */
  readonly rowMs: number
  /** Drafts that the next step may have: with each step that was right to its end up to twice as many rows. */
  readonly reach: number
  learn(trip: DraftTrip): void
}

/** The line of time over drafts through the trips, the newest ones counting most. */
function createTripTimes(stages: number): TripTimes {
  let count = 0
  let [sent, ms, sentSent, sentMs] = [0, 0, 0, 0]
  let rowGuess = 0
  let reach = FIRST_REACH
  let line: { readonly stepMs: number; readonly rowMs: number } | undefined

  const lineNow = (): { stepMs: number; rowMs: number } => {
    const spread = sentSent - (sent * sent) / count
    const slope = (sentMs - (sent * ms) / count + GUESS_WEIGHT * rowGuess) / (spread + GUESS_WEIGHT)
    const mean = ms / count
    const rowMs = Math.min(Math.max(slope, 0), mean)
    return { rowMs, stepMs: Math.max(mean - (rowMs * sent) / count, mean / (1 + sent / count)) }
  }
  return {
    get stepMs() {
      return line?.stepMs
    },
    get rowMs() {
      return line?.rowMs ?? 0
    },
    get reach() {
      return reach
    },
    learn(trip) {
      const isAllRight = trip.gained > trip.sent
      if (isAllRight) reach = Math.max(reach, 2 * trip.sent + 1)
      else reach = Math.max(FIRST_REACH, trip.gained - 1)
      if (line === undefined && trip.sent > 0) return
      const most = line === undefined ? trip.ms : STALL * (line.stepMs + trip.sent * line.rowMs)
      const taken = Math.min(trip.ms, most)
      count = TRIP_DECAY * count + 1
      sent = TRIP_DECAY * sent + trip.sent
      ms = TRIP_DECAY * ms + taken
      sentSent = TRIP_DECAY * sentSent + trip.sent * trip.sent
      sentMs = TRIP_DECAY * sentMs + trip.sent * taken
      const guess = (ROW_SHARE * stages * Math.min(trip.computeMs, trip.ms)) / (1 + ROW_SHARE * trip.sent)
      rowGuess += (guess - rowGuess) / Math.min(count, 16)
      line = lineNow()
    },
  }
}
