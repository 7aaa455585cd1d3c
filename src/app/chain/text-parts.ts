/**
 * Parts of the texts about the chain: amounts, ages, labelled lines. Everything fits 80 columns and addresses are whole.
 * Spec: docs/spec/cli.md §5.
 * @module
 */
import { dllm } from '../../core/transaction/refusals.ts'

/** What a transaction did. */
export interface Told {
  /** A few words. */
  readonly title: string
  /** Further lines: a whole address, a memo. */
  readonly details: readonly string[]
}

/** Grains as JSON carries them, as `1.5 DLLM`. */
export function money(grains: string | bigint): string {
  return dllm(BigInt(grains))
}

/** `1 block`, `2 blocks`. */
export function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`
}

/** `segment 3`, `segments 1 to 3`: people count from 1. `end` is exclusive. */
export function segmentsText(first: number, end: number): string {
  return end - first === 1 ? `segment ${end}` : `segments ${first + 1} to ${end}`
}

/** A lot and lines about it; `index`: from 0, as everywhere but in texts. */
export function lotText(
  index: number,
  { first, end }: { first: number; end: number },
  lines: readonly string[],
): string {
  return `Lot ${index + 1}, ${segmentsText(first, end)}\n${lines.map((line) => `  ${line}\n`).join('')}`
}

/** Labels, padded, and what they name; a value may have several lines. */
export function labelled(rows: readonly (readonly [label: string, value: string])[]): string {
  const width = Math.max(...rows.map(([label]) => label.length)) + 2
  return rows
    .map(([label, value]) => `${label.padEnd(width)}${value.replaceAll('\n', `\n${' '.repeat(width)}`)}\n`)
    .join('')
}

const COLUMNS = 80

/** A sentence in lines of at most 80 columns, broken between words; `indent`: of all lines, that of the first is there already. */
export function wrapped(text: string, indent = 0): string {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)} ${word}`
    if (lines.length > 0 && longer.length <= COLUMNS - indent) lines[lines.length - 1] = longer
    else lines.push(word)
  }
  return lines.join(`\n${' '.repeat(indent)}`)
}

/** `42 s ago`; `now` for the last second and for clocks that differ. */
export function ageText(timeMs: number, nowMs: number): string {
  const seconds = Math.floor((nowMs - timeMs) / 1_000)
  if (seconds < 1) return 'now'
  if (seconds < 90) return `${seconds} s ago`
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min ago`
  return seconds < 48 * 3_600 ? `${Math.round(seconds / 3_600)} h ago` : `${Math.round(seconds / 86_400)} days ago`
}

const UTC = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium', timeZone: 'UTC' })

/** `2026-11-21 06:36:14 UTC`. */
export function timeText(timeMs: number): string {
  return `${UTC.format(timeMs)} UTC`
}

/** `in 12 blocks`, seen from a height. */
export function untilHeight(dueHeight: number, height: number): string {
  return dueHeight > height ? `in ${count(dueHeight - height, 'block')}` : 'now'
}

/** `66.7 %`; of nothing it is nothing. */
export function percent(part: string, whole: string): string {
  const [some, all] = [BigInt(part), BigInt(whole)]
  if (all === 0n) return '0 %'
  const thousandths = (some * 1_000n) / all
  const tenth = thousandths % 10n
  return `${thousandths / 10n}${tenth === 0n ? '' : `.${tenth}`} %`
}
