/**
 * All rows with a target as one plot, as SVG text: how far each ratio is on the good side of its target, the range of its runs as a line. A scale of
 * factors, so that twice as good and half as good are as far from the target.
 * @module
 */
import { tag, text } from './economy/plot.ts'
import type { Row, Target } from './report.ts'

const WIDTH = 1_100
const NAME = 580
const FIGURES = 130
const RIGHT = 20
const TOP = 92
const LINE = 22
const BOTTOM = 46
/** What lies further out is drawn at the edge. */
const FACTOR_MAX = 8
const TICKS = [1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8]

const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #333 }
  .title { font-size: 15px; font-weight: 600 }
  .ground { fill: #fff }
  .grid { stroke: #ddd; stroke-width: 1 }
  .target { stroke: #555; stroke-width: 1.4 }
  .met { stroke: #1f6aa5; fill: #1f6aa5 }
  .missed { stroke: #b35900; fill: #fff }
  .range { stroke-width: 2 }
  .point { stroke-width: 2 }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd } .ground { fill: #16181c } .grid { stroke: #333840 } .target { stroke: #aaa }
    .met { stroke: #7cc0f2; fill: #7cc0f2 } .missed { stroke: #f0a35a; fill: #16181c }
  }`

type Judged = Row & { readonly ratio: number; readonly range: readonly [number, number]; readonly target: Target }

/** `subtitle`: the machine. */
export function plotTargets(rows: readonly Row[], subtitle: string): string {
  const judged = rows.filter((row): row is Judged => row.ratio !== null && row.range !== null && row.target !== null)
  const height = TOP + judged.length * LINE + BOTTOM
  const bottom = height - BOTTOM
  const left = NAME + FIGURES
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    `<title>Ratios against their targets</title><style>${STYLE}</style>`,
    tag('rect', { class: 'ground', width: WIDTH, height }),
    text('Ratios against their targets', { class: 'title', x: RIGHT, y: 26 }),
    text(escaped(subtitle), { x: RIGHT, y: 46 }),
    text('Point: median; line: range of the runs. Filled: the target is met.', { x: RIGHT, y: 64 }),
    ...TICKS.map((factor) => {
      return tag('line', { class: factor === 1 ? 'target' : 'grid', x1: x(factor), x2: x(factor), y1: TOP, y2: bottom })
    }),
    ...TICKS.map((factor) => text(tickText(factor), { x: x(factor), y: bottom + 18, 'text-anchor': 'middle' })),
    text('times as good as the target', { x: (left + WIDTH - RIGHT) / 2, y: bottom + 36, 'text-anchor': 'middle' }),
    ...judged.map((row, index) => drawRow(row, TOP + (index + 0.5) * LINE)),
    '</svg>\n',
  ].join('\n')
}

function x(factor: number): number {
  const bounded = Math.min(Math.max(factor, 1 / FACTOR_MAX), FACTOR_MAX)
  const left = NAME + FIGURES
  return left + ((Math.log2(bounded) / Math.log2(FACTOR_MAX) + 1) / 2) * (WIDTH - RIGHT - left)
}

function tickText(factor: number): string {
  return factor < 1 ? `1/${1 / factor}` : String(factor)
}

function drawRow({ measure, ratio, range, target, met }: Judged, y: number): string {
  const side = met === true ? 'met' : 'missed'
  const factorOf = (value: number): number =>
    'atLeast' in target ? value / target.atLeast : target.atMost / Math.max(value, Number.MIN_VALUE)
  const wanted = 'atLeast' in target ? `≥ ${target.atLeast}` : `≤ ${target.atMost}`
  return [
    text(escaped(measure), { x: RIGHT, y: y + 4 }),
    text(`${Number(ratio.toPrecision(3))} (${wanted})`, { x: NAME + FIGURES - 16, y: y + 4, 'text-anchor': 'end' }),
    tag('line', { class: `${side} range`, x1: x(factorOf(range[0])), x2: x(factorOf(range[1])), y1: y, y2: y }),
    tag('circle', { class: `${side} point`, cx: x(factorOf(ratio)), cy: y, r: 4.5 }),
  ].join('\n')
}

function escaped(words: string): string {
  return words.replace(/&/g, '&amp;').replace(/</g, '&lt;')
}
