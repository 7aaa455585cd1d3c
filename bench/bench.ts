/**
 * What every measure gets: how often to run, the models, a place for files that goes away, and a way to be stopped.
 * @module
 */
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stopAll } from '../src/app/devnet/devnet.ts'
import { createEngine } from '../src/app/engines.ts'
import { type Home, openHome } from '../src/app/home.ts'
import { modelsFolder, openModelStore, type StoredModel } from '../src/app/model-store.ts'
import { createSystem, type System } from '../src/app/system.ts'
import type { EngineName } from '../src/ml/engine/engine.ts'
import type { LineMeans } from './lab/lines.ts'
import { type RandomFormat, TINYLLAMA_SHAPE, writeRandomModel } from './random-model.ts'
import type { Row } from './report.ts'

/** One file of this folder. */
export interface Measure {
  /** For `--only`. */
  readonly name: string
  /** A quick run has it only where `--only` names it. */
  readonly isLong?: boolean
  /** Hands over each row when it is known. */
  run(bench: Bench, report: (row: Row) => void): Promise<void>
}

export interface BenchModel {
  /** `genesis q8` */
  readonly label: string
  readonly stored: StoredModel
}

export interface BenchOptions {
  readonly quick: boolean
  /** Only models whose label holds this text. */
  readonly modelFilter: string
  /** Only this engine. Default: those that users get. */
  readonly engine?: string | undefined
  /** How lines with a delay are made. Default: namespaces where they are possible. */
  readonly means?: LineMeans | undefined
  readonly signal: AbortSignal
  readonly progress: (text: string) => void
}

export interface Bench extends BenchOptions {
  readonly system: System
  /** That run here, the fastest first; at least one. */
  readonly engines: readonly EngineName[]
  /** Interleaved runs per figure. */
  readonly runs: number
  /** The data folder of the models. */
  readonly home: Home
  /** Calls `visit` for one model after the other; generated ones, of all formats or of some, are written when their turn comes. */
  forEachModel(visit: (model: BenchModel) => Promise<void>, only?: FormatFilter): Promise<void>
  /** An empty data folder; with `sharesModels` it sees the models of `home`. */
  newHome(options: { readonly sharesModels: boolean }): Promise<Home>
}

export interface FormatFilter {
  readonly formats: readonly RandomFormat[]
  /** Also in a quick run. */
  readonly isNeeded?: boolean
}

/** What labels of generated models begin with. */
export const RANDOM_LABEL = '1.1B'
/** Of users, the fastest first. */
const ENGINES: readonly EngineName[] = ['native', 'wasm']
/** Comes with the program. */
const EMBEDDED_MODEL = 'genesis'
const RUNS = 7
const RUNS_QUICK = 3
const RANDOM_FORMATS: readonly RandomFormat[] = ['q4', 'q8']

/** Calls `work`, and afterwards ends every process and removes every file that it made. */
export async function withBench(options: BenchOptions, work: (bench: Bench) => Promise<void>): Promise<void> {
  const engines = await enginesHere(options.engine)
  const root = await mkdtemp(join(tmpdir(), 'dllm-bench-'))
  const system = createSystem({ level: 'error' })
  const homes: Home[] = []
  const openIn = async (name: string): Promise<Home> => {
    const home = await openHome({ path: join(root, name) })
    homes.push(home)
    return home
  }
  try {
    const home = await openIn('models')
    await mkdir(modelsFolder(home.path))
    await work({
      ...options,
      ...{ system, engines },
      runs: options.quick ? RUNS_QUICK : RUNS,
      home,
      forEachModel: (visit, only = { formats: RANDOM_FORMATS }) => forEachModel({ ...options, home, ...only }, visit),
      newHome: async ({ sharesModels }) => {
        const other = await openIn(`home-${homes.length}`)
        if (sharesModels) await symlink(modelsFolder(home.path), modelsFolder(other.path))
        return other
      },
    })
  } finally {
    for (const home of homes) await stopAll(home, system)
    await rm(root, { recursive: true, force: true })
  }
}

/** `reference` is no engine for users, so it runs only when it is asked for. */
async function enginesHere(wanted: string | undefined): Promise<EngineName[]> {
  const names = wanted === undefined ? ENGINES : ([wanted] as EngineName[])
  const found: EngineName[] = []
  for (const name of names) {
    const engine = await createEngine(name, { threads: 1 }).catch(() => undefined)
    if (engine !== undefined) found.push(name)
  }
  if (found.length === 0) throw new Error(`No such engine runs here: ${wanted ?? names.join(', ')}.`)
  return found
}

async function forEachModel(
  options: BenchOptions & FormatFilter & { readonly home: Home },
  visit: (model: BenchModel) => Promise<void>,
): Promise<void> {
  const { quick, modelFilter, signal, progress, home, formats, isNeeded = false } = options
  const store = openModelStore({ home: home.path })
  const genesis = store.find(EMBEDDED_MODEL)
  const label = `genesis ${genesis.manifest.format}`
  if (label.includes(modelFilter)) await visit({ label, stored: genesis })
  for (const format of quick && modelFilter === '' && !isNeeded ? [] : formats) {
    const model = { name: `random-1.1b-${format}`, label: `${RANDOM_LABEL} ${format}` }
    if (!model.label.includes(modelFilter)) continue
    if (!store.list().some(({ manifest }) => manifest.name === model.name)) {
      progress(`writing ${model.name}`)
      await writeRandomModel(home.path, { name: model.name, format, config: TINYLLAMA_SHAPE }, signal)
    }
    await visit({ label: model.label, stored: store.find(model.name) })
  }
}
