/**
 * Rows of a panel as lines of a given width and number: what has no room is counted instead of shown.
 * Knows no terminal; every character that is shown takes one column.
 * @module
 */
import type { Panel, PanelRow } from '../app/dashboard/panels.ts'

const LABEL_COLUMNS = 12

export interface Room {
  readonly columns: number
  readonly rows: number
}

/** As many lines as there is room for, none wider than the room. */
export function fitPanel({ rows }: Panel, room: Room): readonly string[] {
  const lines = rows.flatMap((row) => rowLines(row, room.columns))
  if (lines.length <= room.rows) return lines
  const shown = lines.slice(0, Math.max(room.rows - 1, 0))
  return [...shown, `… ${lines.length - shown.length} more (Enter)`.slice(0, room.columns)]
}

/** Words on lines of at most `columns`; a longer word is cut into pieces. Control characters become spaces. */
export function wrapWords(text: string, columns: number): readonly string[] {
  const words = text.replace(/[\p{Cc}\p{Cf}]/gu, ' ').split(' ')
  const lines: string[] = []
  for (const word of words.flatMap((whole) => pieces(whole, columns))) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)} ${word}`
    if (lines.length > 0 && longer.length <= columns) lines[lines.length - 1] = longer
    else lines.push(word)
  }
  return lines
}

function rowLines({ label, value }: PanelRow, columns: number): readonly string[] {
  if (label === '') return wrapWords(value, columns)
  const [first = '', ...rest] = wrapWords(value, columns - LABEL_COLUMNS)
  const indent = ' '.repeat(LABEL_COLUMNS)
  return [`${label} `.padEnd(LABEL_COLUMNS) + first, ...rest.map((line) => indent + line)]
}

function pieces(word: string, columns: number): readonly string[] {
  const count = Math.max(1, Math.ceil(word.length / columns))
  return Array.from({ length: count }, (_, index) => word.slice(index * columns, (index + 1) * columns))
}
