/**
 * The losses of a training run as an SVG: every step faint, their running mean, and the held-out text.
 * @module
 */

export interface LossPlot {
  readonly title: string
  /** Nats per token of step 0, 1, … */
  readonly losses: readonly number[]
  readonly heldOut: readonly { readonly step: number; readonly loss: number }[]
}

const WIDTH = 720
const HEIGHT = 360
const MARGIN = { left: 52, right: 16, top: 40, bottom: 40 }
/** Weight of the newest loss in the running mean. */
const SMOOTHING = 0.1
const TICKS = 5

export function lossPlot({ title, losses, heldOut }: LossPlot): string {
  const all = [...losses, ...heldOut.map(({ loss }) => loss)]
  const low = Math.floor(Math.min(...all) * 2) / 2
  const high = Math.ceil(Math.max(...all) * 2) / 2
  const x = (step: number) => MARGIN.left + (step / Math.max(1, losses.length)) * (WIDTH - MARGIN.left - MARGIN.right)
  const y = (loss: number) =>
    MARGIN.top + ((high - loss) / Math.max(0.5, high - low)) * (HEIGHT - MARGIN.top - MARGIN.bottom)
  const path = (points: readonly (readonly [number, number])[]) =>
    points.map(([step, loss], at) => `${at === 0 ? 'M' : 'L'}${x(step).toFixed(1)} ${y(loss).toFixed(1)}`).join('')
  const line = (points: readonly (readonly [number, number])[], stroke: string, width: number) =>
    `<path d="${path(points)}" fill="none" stroke="${stroke}" stroke-width="${width}"/>`
  const steps = losses.map((loss, step) => [step, loss] as const)
  const held = heldOut.map(({ step, loss }) => [step, loss] as const)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>${title}</title><rect width="100%" height="100%" fill="#fff"/>`,
    `<text x="${MARGIN.left}" y="20" font-size="14">${title}</text>`,
    ...ticks(low, high).map((loss) => rule(y(loss), loss.toFixed(2))),
    ...ticks(0, losses.length).map((step) => below(x(step), String(Math.round(step)))),
    `<text x="${WIDTH / 2}" y="${HEIGHT - 6}" text-anchor="middle">step</text>`,
    line(steps, '#9ecae1', 1),
    line(smoothed(losses), '#08519c', 2),
    line(held, '#d94801', 2),
    ...held.map(
      ([step, loss]) => `<circle cx="${x(step).toFixed(1)}" cy="${y(loss).toFixed(1)}" r="3" fill="#d94801"/>`,
    ),
    `<text x="${WIDTH - MARGIN.right}" y="20" text-anchor="end"><tspan fill="#08519c">training</tspan> · <tspan fill="#d94801">held-out</tspan>, nats per token</text>`,
    '</svg>\n',
  ].join('\n')
}

function smoothed(losses: readonly number[]): [number, number][] {
  let mean = losses[0] ?? 0
  return losses.map((loss, step) => {
    mean += SMOOTHING * (loss - mean)
    return [step, mean]
  })
}

function ticks(low: number, high: number): number[] {
  return Array.from({ length: TICKS + 1 }, (_unused, at) => low + ((high - low) * at) / TICKS)
}

function rule(y: number, label: string): string {
  const at = y.toFixed(1)
  return `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${at}" y2="${at}" stroke="#ddd"/><text x="${MARGIN.left - 6}" y="${at}" dy="4" text-anchor="end">${label}</text>`
}

function below(x: number, label: string): string {
  return `<text x="${x.toFixed(1)}" y="${HEIGHT - MARGIN.bottom + 16}" text-anchor="middle">${label}</text>`
}
