/**
 * Plots as SVG text, without a library: panels above each other over one axis of time, each with bands and lines. Colours are readable on
 * light and on dark ground; without style sheets those for light ground hold.
 * @module
 */

export interface Band {
  readonly low: readonly number[]
  readonly middle: readonly number[]
  readonly high: readonly number[]
}

export interface Panel {
  /** With its unit. */
  readonly label: string
  readonly band: Band
  /** A dashed line across. */
  readonly target?: number
}

export interface Plot {
  readonly title: string
  readonly subtitle: string
  /** Of each point. */
  readonly hours: readonly number[]
  /** A vertical line. */
  readonly eventHour?: number
  readonly panels: readonly Panel[]
}

const WIDTH = 760
const LEFT = 74
const RIGHT = 20
const TOP = 76
const PANEL = 132
const GAP = 34
const BOTTOM = 48
const LINES_MAX = 5

const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #333 }
  .title { font-size: 15px; font-weight: 600 }
  .ground { fill: #fff }
  .grid { stroke: #ddd; stroke-width: 1 }
  .axis { stroke: #888; stroke-width: 1; fill: none }
  .band { fill: #1f77b4; fill-opacity: 0.2 }
  .line { stroke: #1f6aa5; stroke-width: 1.6; fill: none }
  .target { stroke: #b35900; stroke-width: 1.2; stroke-dasharray: 5 4 }
  .event { stroke: #777; stroke-width: 1; stroke-dasharray: 2 3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd } .ground { fill: #16181c } .grid { stroke: #333840 } .axis { stroke: #888 }
    .band { fill: #6db3e8 } .line { stroke: #7cc0f2 } .target { stroke: #f0a35a } .event { stroke: #999 }
  }`

export function plotSvg({ title, subtitle, hours, eventHour, panels }: Plot): string {
  const height = TOP + panels.length * (PANEL + GAP) - GAP + BOTTOM
  const last = hours.at(-1)!
  const x = (hour: number): number => LEFT + (hour / last) * (WIDTH - LEFT - RIGHT)
  const bottom = height - BOTTOM
  const lines = ticksOf(0, last).map((hour) =>
    tag('line', { class: 'grid', x1: x(hour), x2: x(hour), y1: TOP, y2: bottom }),
  )
  const marks = ticksOf(0, last).map((hour) =>
    text(String(hour), { x: x(hour), y: bottom + 18, 'text-anchor': 'middle' }),
  )
  const event =
    eventHour === undefined
      ? []
      : [tag('line', { class: 'event', x1: x(eventHour), x2: x(eventHour), y1: TOP, y2: bottom })]
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    `<title>${title}</title><style>${STYLE}</style>`,
    tag('rect', { class: 'ground', width: WIDTH, height }),
    text(title, { class: 'title', x: LEFT, y: 24 }),
    text(subtitle, { x: LEFT, y: 43 }),
    ...lines,
    ...panels.map((panel, index) => drawPanel(panel, { hours, x, top: TOP + index * (PANEL + GAP) })),
    ...event,
    ...marks,
    text('hours', { x: (LEFT + WIDTH - RIGHT) / 2, y: bottom + 36, 'text-anchor': 'middle' }),
    '</svg>\n',
  ].join('\n')
}

interface Frame {
  readonly hours: readonly number[]
  readonly x: (hour: number) => number
  readonly top: number
}

function drawPanel({ label, band, target }: Panel, { hours, x, top }: Frame): string {
  const most = Math.max(...band.high, target ?? 0)
  const ticks = ticksOf(0, most)
  const ceiling = Math.max(most, ticks.at(-1)!)
  const y = (value: number): number => top + PANEL - (value / ceiling) * PANEL
  const point = (value: number, index: number): string => `${x(hours[index]!).toFixed(1)},${y(value).toFixed(1)}`
  const upper = band.high.map(point)
  const lower = band.low.map(point).reverse()
  return [
    ...ticks.map((tick) => tag('line', { class: 'grid', x1: LEFT, x2: WIDTH - RIGHT, y1: y(tick), y2: y(tick) })),
    ...ticks.map((tick) => text(String(tick), { x: LEFT - 8, y: y(tick) + 4, 'text-anchor': 'end' })),
    tag('polygon', { class: 'band', points: [...upper, ...lower].join(' ') }),
    tag('polyline', { class: 'line', points: band.middle.map(point).join(' ') }),
    target === undefined
      ? ''
      : tag('line', { class: 'target', x1: LEFT, x2: WIDTH - RIGHT, y1: y(target), y2: y(target) }),
    tag('path', { class: 'axis', d: `M${LEFT} ${top}V${top + PANEL}H${WIDTH - RIGHT}` }),
    text(label, { x: LEFT, y: top - 8 }),
  ].join('\n')
}

/** Round numbers from `from` to at most `to`, a step of 1, 2 or 5 of a power of ten. */
export function ticksOf(from: number, to: number): number[] {
  const rough = (to - from) / LINES_MAX
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough)!
  const count = Math.floor((to - from) / step + 1e-9)
  return Array.from({ length: count + 1 }, (_, index) => Number((from + index * step).toPrecision(10)))
}

export function tag(name: string, attributes: Readonly<Record<string, string | number>>): string {
  return `<${name} ${attributesText(attributes)}/>`
}

export function text(content: string, attributes: Readonly<Record<string, string | number>>): string {
  return `<text ${attributesText(attributes)}>${content}</text>`
}

function attributesText(attributes: Readonly<Record<string, string | number>>): string {
  return Object.entries(attributes)
    .map(([name, value]) => `${name}="${typeof value === 'number' ? Number(value.toFixed(1)) : value}"`)
    .join(' ')
}
