/**
 * The words of the dashboard: its panels as rows of label and value, most important first. Terminal and plain text show
 * the same ones. Pure.
 * @module
 */
import { ageText, count, money } from '../chain/text-parts.ts'
import type { EarningsSection, MinedView } from './earnings-section.ts'
import type { DashboardView, MinerView, RegisteredView, RingSection, WorkSection } from './view.ts'

export interface PanelRow {
  /** Empty: the value is a sentence. */
  readonly label: string
  readonly value: string
}

export interface Panel {
  readonly title: string
  readonly rows: readonly PanelRow[]
}

const BARS = '▁▂▃▄▅▆▇█'
const BARS_SHOWN = 16
/** A block later than this makes a person ask what the validators are at. */
const QUIET_MS = 10_000

export function panelsOf(view: DashboardView): readonly Panel[] {
  return [chainPanel(view), networkPanel(view), workPanel(view.work), earningsPanel(view.earnings, view.work)]
}

/** How to begin, where nothing of the network was found; undefined where something was, or before the first looks. */
export function howToStart({ network, chain, ring }: DashboardView): string | undefined {
  if (chain.type === 'seen' || ring.type === 'seen') return undefined
  if (chain.code === 'LOOKING' || ring.code === 'LOOKING') return undefined
  return network === 'local'
    ? 'Nothing of the local network runs. `dllm devnet up` starts it.'
    : `Nothing of the network ${network} can be reached. \`dllm node --network ${network}\` and \`dllm mine --network ${network}\` start a part of it.`
}

/** Bars between the least and the greatest value; equal values are low bars. */
export function sparkline(values: readonly number[]): string {
  const shown = values.slice(-BARS_SHOWN)
  const [least, most] = [Math.min(...shown), Math.max(...shown)]
  const step = (most - least) / (BARS.length - 1)
  return shown.map((value) => BARS[step === 0 ? 0 : Math.round((value - least) / step)]).join('')
}

function chainPanel({ chain, timeMs }: DashboardView): Panel {
  const title = 'Chain'
  if (chain.type === 'none') return { title, rows: [sentence(chain.message)] }
  const { node, own, blockMs } = chain
  const isQuiet = chain.height > 0 && timeMs - chain.timeMs > QUIET_MS
  const rows = [
    row('Block', `${chain.height}, ${ageText(chain.timeMs, timeMs)}${isQuiet ? ': it is late' : ''}`),
    row('Finality', 'every block shown is final'),
    ...(node === undefined ? [] : [row('Deciding', decidingText(node))]),
    row('Validators', `${chain.validators}, ${chain.voting} voting`),
    row('Stake', money(chain.stake)),
    own === undefined
      ? row('Own', 'no validator')
      : row('Own', `${own.name}, ${money(own.stake)}, ${own.votes ? `signed ${own.signedBlocks}` : 'does not vote'}`),
    row('Supply', money(chain.supply)),
    ...(blockMs.length === 0 ? [] : [row('Block time', `${sparkline(blockMs)} ${seconds(blockMs.at(-1)!)}`)]),
    row('Known from', node === undefined ? 'a light client' : `${node.nodeName}, ${count(node.peers, 'peer')}`),
    row('Epoch', String(chain.epoch)),
    row('Base fee', `${chain.baseFee} grains per unit`),
    row('Reward pool', money(chain.rewardPool)),
  ]
  return { title, rows }
}

type NodePart = NonNullable<Extract<DashboardView['chain'], { type: 'seen' }>['node']>

function decidingText({ syncing, consensus, waiting }: NodePart): string {
  const waits = waiting === 0 ? '' : `, ${waiting} waiting`
  return syncing ? `catching up${waits}` : `${consensus.height}, round ${consensus.round}, ${consensus.step}${waits}`
}

function networkPanel({ network, model, ring, chain }: DashboardView): Panel {
  const title = 'Network'
  const price =
    chain.type === 'seen' && chain.price !== undefined ? `, ${count(Number(chain.price), 'grain')} per CU` : ''
  const names = [row('Network', network), row('Model', model + price)]
  if (ring.type === 'none') return { title, rows: [...names, sentence(ring.message)] }
  const held = ring.holders.filter((holders) => holders > 0).length
  const rate = ring.tokenRates.at(-1)
  return {
    title,
    rows: [
      ...names,
      row('Peers', `${count(ring.peers, 'peer')}, ${count(ring.miners, 'miner')}`),
      row('Segments', `${held} of ${ring.holders.length} held`),
      row('Held by', heldText(ring)),
      row('Sessions', String(ring.sessions)),
      row('Tokens/s', rate === undefined ? 'measuring…' : `${sparkline(ring.tokenRates)} ${rate.toFixed(1)}`),
    ],
  }
}

/** `1-3 by 2, 4-6 by nobody`. */
function heldText({ holders }: RingSection): string {
  const runs: { from: number; to: number; holders: number }[] = []
  holders.forEach((number, index) => {
    const last = runs.at(-1)
    if (last?.holders === number) last.to = index + 1
    else runs.push({ from: index + 1, to: index + 1, holders: number })
  })
  const text = runs.map(({ from, to, holders: by }) => `${from === to ? from : `${from}-${to}`} by ${by || 'nobody'}`)
  return text.join(', ')
}

function workPanel({ miners, registered, audits, idle }: WorkSection): Panel {
  const rate = miners.reduce((sum, { tokensPerSecond }) => sum + tokensPerSecond, 0)
  const sum = (pick: (miner: MinerView) => number): number => miners.reduce((all, miner) => all + pick(miner), 0)
  const totals = [
    row('Own miners', String(miners.length)),
    row('Sessions', String(miners.reduce((most, { sessions }) => Math.max(most, sessions), 0))),
    row('Steps', String(sum(({ steps }) => steps))),
    row('Tokens/s', rate.toFixed(1)),
  ]
  const why = idle === undefined ? [] : [row('Idle', idle.message)]
  const found = audits === undefined ? [] : [row('Audits', `${audits.passed} passed, ${audits.failed} failed`)]
  const onChain = registered === undefined ? [] : registeredRows(registered)
  return {
    title: 'Work',
    rows: [...(miners.length === 0 ? [] : totals), ...found, ...why, ...onChain, ...miners.flatMap(minerRows)],
  }
}

function registeredRows({ status, openLots, auditedReceipts, reliability }: RegisteredView): PanelRow[] {
  const reliable = `${Math.floor(reliability * 1_000) / 10} % reliable`
  return [
    row('Registered', `${status}, ${count(openLots, 'open lot')}`),
    row('Audited', `${count(auditedReceipts, 'receipt')}, ${reliable}`),
  ]
}

function minerRows({ peer, segments, device, answers, steps, tokensPerSecond, stepMs }: MinerView): PanelRow[] {
  const name = `…${peer.slice(-6)}`
  if (!answers) return [row(name, `segment ${segments.join(', ')}, does not answer`)]
  const speed = stepMs === undefined ? '' : `, ${stepMs.toFixed(1)} ms each`
  return [
    row(name, `segment ${segments.join(', ')}, ${tokensPerSecond.toFixed(1)} tokens/s`),
    row('', `${count(steps, 'step')}${speed}, ${device}`),
  ]
}

function earningsPanel(earnings: EarningsSection, { registered }: WorkSection): Panel {
  const { wallet, accounts, total, sinceStart, totals, none, mined } = earnings
  const title = 'Earnings'
  const minedPart = mined === undefined ? [] : minedRows(mined)
  const why = none === undefined ? [] : [sentence(`No earnings yet: ${uncapitalised(none.message)}`)]
  if (total === undefined || sinceStart === undefined) {
    return { title, rows: mined === undefined ? [sentence(none?.message ?? '')] : [...minedPart, ...why] }
  }
  const isLoss = sinceStart.startsWith('-')
  const change = isLoss ? `−${money(sinceStart.slice(1))}` : `+${money(sinceStart)}`
  return {
    title,
    rows: [
      ...minedPart,
      ...(mined === undefined ? [] : why),
      row('Wallet', wallet ?? ''),
      row('Total', money(total)),
      row('Since start', change),
      row('History', sparkline(totals.map((value) => Number(BigInt(value) - BigInt(totals[0]!))))),
      ...(mined === undefined ? why : []),
      ...(registered === undefined || mined !== undefined
        ? []
        : [
            row('This epoch', `${money(registered.workValue)} of audited work`),
            row('Deposit', `${money(registered.deposit)}, locked ${money(registered.locked)}`),
          ]),
      ...accounts.map(({ role, balance, bonded }) =>
        row(role, bonded === '0' ? money(balance) : `${money(balance)}, bonded ${money(bonded)}`),
      ),
    ],
  }
}

/** What mining brought, from all that the node knows, and what is to come. */
function minedRows({
  today,
  total,
  isWhole,
  history,
  claimed,
  promised,
  deposit,
  locked,
  workValue,
}: MinedView): PanelRow[] {
  const { unit, grains } = history
  return [
    row('Today', money(today.earned)),
    row('Earned', isWhole ? money(total.earned) : `more than ${money(total.earned)}`),
    row('Claimable', money(BigInt(claimed) + BigInt(promised))),
    row('Locked', `${money(locked)} of ${money(deposit)}`),
    row(unit === 'hour' ? 'By hour' : 'By day', sparkline(grains.map(Number))),
    ...(workValue === '0' ? [] : [row('This epoch', `${money(workValue)} of audited work`)]),
    ...(total.lost === '0' ? [] : [row('Lost', `${money(total.lost)} of deposits`)]),
  ]
}

function row(label: string, value: string): PanelRow {
  return { label, value }
}

function sentence(value: string): PanelRow {
  return { label: '', value }
}

function uncapitalised(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1)
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`
}
