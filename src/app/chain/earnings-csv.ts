/**
 * Earnings as comma-separated values (RFC 4180): a header, a line per entry, CRLF. Times are ISO 8601 in UTC; amounts stand as grains and as
 * decimal DLLM. Spec: docs/spec/cli.md §12.
 * @module
 */
import { grains as toGrains } from '../../base/brand.ts'
import { formatDllm } from '../../core/units.ts'
import type { EarningsLine } from './earnings-lines.ts'

const COLUMNS = [
  ...['time', 'height', 'type', 'result', 'miner', 'payout', 'model', 'lease', 'lot', 'window', 'cu', 'value'],
  ...['grains', 'dllm'],
] as const

export function earningsCsv(lines: readonly EarningsLine[]): string {
  const rows = [COLUMNS.join(','), ...lines.map((line) => cellsOf(line).map(quoted).join(','))]
  return rows.map((row) => `${row}\r\n`).join('')
}

function cellsOf(line: EarningsLine): string[] {
  const { timeMs, height, type, result, miner, payout, model, lease, lot, window, units, value, grains } = line
  const time = new Intl.DateTimeFormat('sv-SE', UTC).format(timeMs).replace(' ', 'T')
  const cells = [`${time}Z`, height, type, result, miner, payout, model, lease, lot, window, units, value]
  return [...cells.map((cell) => String(cell ?? '')), grains, decimal(grains)]
}

const UTC = { dateStyle: 'short', timeStyle: 'medium', timeZone: 'UTC' } as const

function decimal(grains: string): string {
  return grains.startsWith('-')
    ? `-${formatDllm(toGrains(BigInt(grains.slice(1))))}`
    : formatDllm(toGrains(BigInt(grains)))
}

/** None of these needs it today; a name of a publisher would. */
function quoted(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
}
