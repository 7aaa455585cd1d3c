/**
 * What happens to the simulated network: one scenario per question of the economy.
 * @module
 */
import { INITIAL_PARAMETERS, type Parameters } from '../../src/core/parameters.ts'
import type { Network } from './network.ts'

/** Five hours of 20 s; what happens, happens after the first third, and the last third is judged. */
export const PERIODS = 900
export const EVENT_PERIOD = PERIODS / 3
const SWING_PERIODS = 450

export interface Scenario {
  readonly name: string
  readonly title: string
  readonly parameters: Parameters
  /** Called before each period. */
  turn(network: Network, period: number): void
  /** What is not steady by its nature is not held to a steady price. */
  readonly isSteady: boolean
}

type Turn = Scenario['turn']

const nothing: Turn = () => undefined
const at =
  (happens: (network: Network) => void): Turn =>
  (network, period) => {
    if (period === EVENT_PERIOD) happens(network)
  }
const demandTimes = (factor: number): Turn =>
  at(({ levers }) => {
    levers.demandFactor = factor
  })
const costTimes = (factor: number): Turn =>
  at(({ miners }) => {
    for (const miner of miners) miner.cost *= factor
  })
/** Calls `change` with three in ten of the miners that are there. */
const someMiners = (change: (miner: Network['miners'][number]) => void): Turn =>
  at(({ miners, chance }) => {
    for (const miner of miners) if (miner.status === 'active' && chance.uniform() < 0.3) change(miner)
  })

export const SCENARIOS: readonly Scenario[] = [
  scenario('steady', 'Nothing happens', nothing),
  scenario('demand-times-3', 'Demand × 3 after 1.67 h', demandTimes(3)),
  scenario('demand-times-0.3', 'Demand × 0.3 after 1.67 h', demandTimes(0.3)),
  {
    ...scenario('swing', 'Demand swings by half, a day in 2.5 h', ({ levers }, period) => {
      levers.demandFactor = 1 + 0.5 * Math.sin((2 * Math.PI * period) / SWING_PERIODS)
    }),
    isSteady: false,
  },
  scenario(
    'exit-30-percent',
    '30 % of miners leave after 1.67 h',
    someMiners((miner) => {
      miner.status = 'leaving'
    }),
  ),
  scenario('cost-plus-50-percent', 'Costs + 50 % after 1.67 h', costTimes(1.5)),
  scenario('coin-minus-60-percent', 'The coin loses 60 % after 1.67 h', costTimes(2.5)),
  scenario(
    'cartel',
    '30 % of miners bid twice their costs after 1.67 h',
    someMiners((miner) => {
      miner.isMarked = true
      miner.bidFactor = 2
    }),
  ),
  scenario('wash', 'An owner of 30 % of miners leases from itself', (network, period) => {
    someMiners((miner) => {
      miner.isMarked = true
    })(network, period)
    if (period === EVENT_PERIOD) network.levers.washShare = 0.3
  }),
  scenario('no-floor', 'Without a floor under pay (payFloor 0)', nothing, { payFloor: 0n }),
  ...[0n, 200n, 400n].map((treasuryShare) => {
    const title = `Treasury takes ${treasuryShare / 10n} %`
    return scenario(`treasury-${treasuryShare / 10n}-percent`, title, nothing, {
      treasuryShare,
      workSubsidy: 0n,
      auditFee: 0n,
    })
  }),
]

function scenario(name: string, title: string, turn: Turn, changes: Partial<Parameters> = {}): Scenario {
  return { name, title, turn, parameters: { ...INITIAL_PARAMETERS, ...changes }, isSteady: true }
}
