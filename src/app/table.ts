/**
 * Plain text tables for people: a header line, columns padded with two spaces between them, no frames, so that the
 * output also reads well through cut, awk and a screen reader.
 * @module
 */

export type Cell = string | number | undefined

/** Columns are the keys of the first row, in their order; numbers are aligned to the right. Ends with a newline; '' without rows. */
export function table(rows: readonly Readonly<Record<string, Cell>>[]): string {
  const first = rows[0]
  if (first === undefined) return ''
  const columns = Object.keys(first).map((name) => {
    const cells = rows.map((row) => String(row[name] ?? ''))
    const isNumeric = rows.every((row) => typeof row[name] === 'number' || row[name] === undefined)
    const width = Math.max(name.length, ...cells.map((cell) => cell.length))
    const pad = (text: string): string => (isNumeric ? text.padStart(width) : text.padEnd(width))
    return [pad(name.toUpperCase()), ...cells.map(pad)]
  })
  const lines = [0, ...rows.map((_row, index) => index + 1)]
  return lines
    .map(
      (line) =>
        `${columns
          .map((column) => column[line])
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

/** `1.5 GiB`, for people; JSON keeps plain byte counts. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}
