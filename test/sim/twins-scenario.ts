/**
 * The space of Twins scenarios (arXiv 2004.10617) as numbers: some validators run twice with one key, and for the first rounds of a
 * height a scenario says who leads and which instances hear each other. Every number names one scenario.
 * @module
 */

/** Four validators, some of them twinned. */
export interface Family {
  readonly name: string
  /** Grains by validator. */
  readonly stakes: readonly bigint[]
  /** Validators that run twice. */
  readonly twinned: readonly number[]
  /** Rounds with a leader and partitions of the scenario's choice. */
  readonly rounds: number
}

export const EQUAL: Family = { name: 'equal', stakes: [1n, 1n, 1n, 1n], twinned: [0], rounds: 3 }
export const UNEQUAL: Family = { name: 'unequal', stakes: [30n, 25n, 25n, 20n], twinned: [1], rounds: 3 }
export const TWO: Family = { name: 'two', stakes: [40n, 30n, 15n, 15n], twinned: [2, 3], rounds: 2 }
/** Twins with a third of the stake or more: agreement may fail, and the checker must see it. */
export const TOO_MANY: Family = { name: 'too-many', stakes: [1n, 1n, 1n, 1n], twinned: [0, 1], rounds: 2 }
export const FAMILIES: readonly Family[] = [EQUAL, UNEQUAL, TWO]

export interface ScenarioRound {
  /** Validator whose instances propose. */
  readonly leader: number
  /** One bit per instance: who has the same bit hears each other's proposals and prevotes. */
  readonly prevoteGroups: number
  /** The same for precommits. */
  readonly precommitGroups: number
}

export interface TwinsScenario {
  readonly id: string
  readonly family: Family
  /** Validator of each instance; the twins of earlier ones come last. */
  readonly instances: readonly number[]
  readonly rounds: readonly ScenarioRound[]
}

/** How many scenarios a family has: leaders times two partitions into at most two groups, for each round. */
export function countOf(family: Family): number {
  return choicesPerRound(family) ** family.rounds
}

/** The scenario with a number below `countOf(family)`. */
export function scenarioAt(family: Family, number: number): TwinsScenario {
  const partitions = partitionsOf(family)
  const rounds: ScenarioRound[] = []
  let rest = number
  const take = (choices: number): number => {
    const choice = rest % choices
    rest = Math.floor(rest / choices)
    return choice
  }
  for (let round = 0; round < family.rounds; round++) {
    const leader = take(family.stakes.length)
    rounds.push({ leader, prevoteGroups: take(partitions), precommitGroups: take(partitions) })
  }
  const instances = [...family.stakes.keys(), ...family.twinned]
  return { id: `${family.name}#${number}`, family, instances, rounds }
}

/**
 * The number at a place of a walk through all of a family: neighbours differ in every round, and after `countOf` places each
 * scenario was met once, since the step is odd and the count a power of two.
 */
export function walk(family: Family, place: number): number {
  return Number((BigInt(place) * 0x9e3779b97f4a7c15n) % BigInt(countOf(family)))
}

/** The scenario of an id that a failure printed. */
export function scenarioOf(id: string): TwinsScenario {
  const [name, number] = id.split('#')
  const family = [...FAMILIES, TOO_MANY].find((each) => each.name === name)
  if (family === undefined) throw new Error(`no family ${name}`)
  return scenarioAt(family, Number(number))
}

function choicesPerRound(family: Family): number {
  return family.stakes.length * partitionsOf(family) ** 2
}

/** The first instance is in group 0, which leaves two choices for each other one. */
function partitionsOf({ stakes, twinned }: Family): number {
  return 2 ** (stakes.length + twinned.length - 1)
}
