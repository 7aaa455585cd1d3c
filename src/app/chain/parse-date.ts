/**
 * A day or a time of day in UTC, as people type it. Spec: docs/spec/cli.md §12.
 * @module
 */
import { ChainArgumentError } from './arguments.ts'
import { timeText } from './text-parts.ts'

const SHAPE = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2}))?Z?)?$/
const SECOND_MS = 1_000
const DAY_SECONDS = 86_400

/** Unix time in milliseconds; a day is its beginning. @throws ChainArgumentError DATE_BAD. */
export function parseDate(text: string): number {
  const found = SHAPE.exec(text)
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = (found ?? [])
    .slice(1)
    .map((digits: string | undefined) => Number(digits ?? 0))
  const seconds = dayNumber(year, month, day) * DAY_SECONDS + hour * 3_600 + minute * 60 + second
  // A day that there is not, such as the 30th of February, is another one when it is written again.
  const pad = (number: number): string => String(number).padStart(2, '0')
  const again = `${String(year).padStart(4, '0')}-${pad(month)}-${pad(day)} ${pad(hour)}:${pad(minute)}:${pad(second)} UTC`
  if (found !== null && seconds >= 0 && timeText(seconds * SECOND_MS) === again) return seconds * SECOND_MS
  const shown = JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
  const message = `A time is a day, such as 2026-11-21, or a time in UTC, such as 2026-11-21T06:30, not ${shown}.`
  throw new ChainArgumentError('DATE_BAD', message)
}

/** Days from 1970-01-01 to a day of the Gregorian calendar, whose years begin in March here: leap days come last. */
function dayNumber(year: number, month: number, day: number): number {
  const marchYear = month <= 2 ? year - 1 : year
  const marchMonth = (month + 9) % 12
  const leapDays = Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400)
  return marchYear * 365 + leapDays + Math.floor((153 * marchMonth + 2) / 5) + day - 719_469
}
