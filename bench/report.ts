/**
 * Figures: from the samples of one measure to a row, from rows to a table for people or JSON for programs.
 * @module
 */

/** A figure is a ratio of two values that were measured side by side; a few have a value only. */
export interface Row {
  readonly measure: string
  /** Median over the runs; null where only the values count. */
  readonly ratio: number | null
  /** Lowest and highest of the runs. */
  readonly range: readonly [number, number] | null
  readonly target: Target | null
  readonly met: boolean | null
  readonly runs: number
  /** What the ratio was made of, medians, with its unit as the last word of the name. */
  readonly values: Readonly<Record<string, number>>
}

export type Target = { readonly atLeast: number } | { readonly atMost: number }

export interface RowInput {
  readonly measure: string
  /** One per run: both sides of the ratio were measured in the same run. */
  readonly ratios?: readonly number[]
  readonly target?: Target | undefined
  readonly values: Readonly<Record<string, readonly number[]>>
}

/** Ratio of each run first, then their median: what slows the machine down for a while slows both sides. */
export function rowOf({ measure, ratios = [], target, values }: RowInput): Row {
  const ratio = ratios.length === 0 ? null : median(ratios)
  const samples = Object.entries(values)
  return {
    measure,
    ratio,
    range: ratio === null ? null : [Math.min(...ratios), Math.max(...ratios)],
    target: target ?? null,
    met: ratio === null || target === undefined ? null : isMet(ratio, target),
    runs: ratios.length || Math.max(...samples.map(([, list]) => list.length)),
    values: Object.fromEntries(samples.map(([name, list]) => [name, median(list)])),
  }
}

/** The mean of the two in the middle for an even count. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}

function isMet(ratio: number, target: Target): boolean {
  return 'atLeast' in target ? ratio >= target.atLeast : ratio <= target.atMost
}

/** One line per row; columns as wide as their widest cell. */
export function tableOf(rows: readonly Row[]): string {
  const head = ['measure', 'ratio', 'range', 'target', 'met', 'runs', 'behind it (medians)']
  const cells = [head, ...rows.map(cellsOf)]
  const widths = head.map((_, column) => Math.max(...cells.map((line) => line[column]!.length)))
  const numeric = new Set([1, 5])
  return cells
    .map((line) =>
      line
        .map((cell, column) => (numeric.has(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function cellsOf({ measure, ratio, range, target, met, runs, values }: Row): string[] {
  return [
    measure,
    ratio === null ? '' : short(ratio),
    range === null ? '' : range.map(short).join('–'),
    target === null ? '' : 'atLeast' in target ? `≥ ${target.atLeast}` : `≤ ${target.atMost}`,
    met === null ? '' : met ? 'yes' : 'NO',
    String(runs),
    Object.entries(values)
      .map(([name, value]) => `${name} ${short(value)}`)
      .join(', '),
  ]
}

/** Three digits that matter. */
function short(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3)
}
