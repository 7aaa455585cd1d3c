/**
 * One plot of all rules over sizes of swarms, as SVG text: panels above each other, a line per rule.
 * @module
 */
import { tag, text, ticksOf } from '../economy/plot.ts'

export interface Line {
  readonly name: string
  /** One per size. */
  readonly values: readonly number[]
}

export interface LinePanel {
  /** With its unit. */
  readonly label: string
  readonly lines: readonly Line[]
}

const WIDTH = 760
const LEFT = 74
const RIGHT = 20
const TOP = 96
const PANEL = 132
const GAP = 40
const BOTTOM = 48
const LEGEND_STEP = 165
/** Readable on light and on dark ground, and told apart by who sees fewer colours, with the dashes. */
const COLOURS = ['#1f6aa5', '#7fb3d8', '#b35900', '#d08a3c']
const DASHES = ['', '5 3', '', '5 3']

const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #333 }
  .title { font-size: 15px; font-weight: 600 }
  .ground { fill: #fff }
  .grid { stroke: #ddd; stroke-width: 1 }
  .axis { stroke: #888; stroke-width: 1; fill: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd } .ground { fill: #16181c } .grid { stroke: #333840 }
  }`

export function plotSizes({
  title,
  subtitle,
  sizes,
  panels,
}: {
  readonly title: string
  readonly subtitle: string
  readonly sizes: readonly number[]
  readonly panels: readonly LinePanel[]
}): string {
  const height = TOP + panels.length * (PANEL + GAP) - GAP + BOTTOM
  const bottom = height - BOTTOM
  const x = (index: number): number => LEFT + (index / (sizes.length - 1)) * (WIDTH - LEFT - RIGHT)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    `<title>${title}</title><style>${STYLE}</style>`,
    tag('rect', { class: 'ground', width: WIDTH, height }),
    text(title, { class: 'title', x: LEFT, y: 24 }),
    text(subtitle, { x: LEFT, y: 43 }),
    ...legend(panels[0]!.lines),
    ...panels.map((panel, index) => drawPanel(panel, { x, top: TOP + index * (PANEL + GAP) })),
    ...sizes.map((size, index) => text(String(size), { x: x(index), y: bottom + 18, 'text-anchor': 'middle' })),
    text('machines', { x: (LEFT + WIDTH - RIGHT) / 2, y: bottom + 36, 'text-anchor': 'middle' }),
    '</svg>\n',
  ].join('\n')
}

function legend(lines: readonly Line[]): string[] {
  return lines.flatMap(({ name }, index) => {
    const x = LEFT + index * LEGEND_STEP
    return [tag('line', { x1: x, x2: x + 22, y1: 60, y2: 60, ...strokeOf(index) }), text(name, { x: x + 28, y: 64 })]
  })
}

function drawPanel({ label, lines }: LinePanel, { x, top }: { x: (index: number) => number; top: number }): string {
  const most = Math.max(...lines.flatMap(({ values }) => values), 1e-9)
  const ticks = ticksOf(0, most)
  const ceiling = Math.max(most, ticks.at(-1)!)
  const y = (value: number): number => top + PANEL - (value / ceiling) * PANEL
  return [
    ...ticks.map((tick) => tag('line', { class: 'grid', x1: LEFT, x2: WIDTH - RIGHT, y1: y(tick), y2: y(tick) })),
    ...ticks.map((tick) => text(String(tick), { x: LEFT - 8, y: y(tick) + 4, 'text-anchor': 'end' })),
    ...lines.map(({ values }, index) => {
      const points = values.map((value, at) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(' ')
      return tag('polyline', { points, fill: 'none', ...strokeOf(index) })
    }),
    tag('path', { class: 'axis', d: `M${LEFT} ${top}V${top + PANEL}H${WIDTH - RIGHT}` }),
    text(label, { x: LEFT, y: top - 8 }),
  ].join('\n')
}

function strokeOf(index: number): Record<string, string> {
  return { stroke: COLOURS[index]!, 'stroke-width': '2', 'stroke-dasharray': DASHES[index]! || 'none' }
}
