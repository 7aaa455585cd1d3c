/**
 * Builds the native engine's addon from native/ with the C compiler at hand (CC, else cc, gcc, clang), without headers of Node: on this machine when the program is
 * installed, or for machines like it when a release is made. Nothing that is missing or fails is an error at install: the program has the wasm engine, and
 * `dllm doctor` tells the reason. Does not choose the addon that is loaded (native-engine.ts).
 * Spec: docs/spec/native.md §1.
 * @module
 */
import { execFile, spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { messageOf } from '../../base/error.ts'
import { hashNativeSources, NATIVE_BUILD, NATIVE_FAILURE, NATIVE_FOLDER, NATIVE_PREBUILD } from '../native-files.ts'
import {
  COMMON_FLAGS,
  COMMON_SOURCES,
  type Compiler,
  findCompiler,
  type Instructions,
  instructionsOf,
} from './compiler.ts'

export interface NativeBuildOptions {
  /** `always`; or not where the addon of this machine is of these sources (`changed`); or not where any such addon loads, a delivered one too (`needed`). */
  readonly when: 'always' | 'changed' | 'needed'
  /** To native/prebuilds/<platform>-<arch>/, where a published package has it. */
  readonly isPrebuild?: boolean
}

export interface NativeBuildResult {
  readonly isThere: boolean
  /** For people; none where nothing was done. */
  readonly told: string
}

interface ObjectFile {
  readonly path: string
  readonly source: string
  readonly flags: readonly string[]
  readonly instructions?: Instructions
}

const run = promisify(execFile)
/** Of which sources and flags the addon is. */
const STAMP = `${NATIVE_BUILD}.sources`
const WASM_INSTEAD = 'the wasm engine is used instead'

/** Never throws: what went wrong is told, and noted for doctor. */
export async function buildNative({ when, isPrebuild = false }: NativeBuildOptions): Promise<NativeBuildResult> {
  const sources = hashNativeSources()
  if (when !== 'always' && isBuilt(sources)) return { isThere: true, told: '' }
  if (when === 'needed' && sourcesOf(NATIVE_PREBUILD).sources === sources) return { isThere: true, told: '' }
  const compiler = findCompiler()
  if (compiler === undefined) {
    const why = noteFailure('There was no C compiler when this program was installed.')
    return { isThere: false, told: `no C compiler (cc, gcc, clang or CC); ${WASM_INSTEAD}${why}` }
  }
  try {
    await build(compiler, { sources, target: isPrebuild ? NATIVE_PREBUILD : NATIVE_BUILD })
    rmSync(NATIVE_FAILURE, { force: true })
    if (!isPrebuild) writeFileSync(STAMP, stampOf(sources))
  } catch (error) {
    const why = noteFailure(`${compiler.join(' ')} failed when it was built: ${firstError(error)}.`)
    return { isThere: false, told: `${compiler.join(' ')} failed; ${WASM_INSTEAD}${why}\n${messageOf(error)}` }
  }
  return { isThere: true, told: `built with ${compiler.join(' ')}` }
}

/** As many at a time as there are processors. After a failure none is begun, and all that were have ended. */
async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items]
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
  }
  const workers = Array.from({ length: availableParallelism() }, () => worker().finally(() => queue.splice(0)))
  await Promise.allSettled(workers)
  await Promise.all(workers)
}

interface Build {
  readonly sources: string
  readonly target: string
}

async function build([command, ...parameters]: Compiler, { sources, target }: Build): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'exact1-native-'))
  try {
    const built: ObjectFile[] = []
    const compile = async (file: ObjectFile) => {
      const where = ['-c', join(NATIVE_FOLDER, file.source), '-o', file.path]
      try {
        await run(command, [...parameters, ...COMMON_FLAGS, ...file.flags, ...where])
        built.push(file)
      } catch (error) {
        // A compiler that does not know the instructions: the others remain.
        if (file.instructions === undefined || file.instructions.name === 'generic') throw error
      }
    }
    await inParallel(kernelFiles(folder), compile)
    const names = built.flatMap(({ instructions }) => instructions?.name ?? [])
    const defines = names.map((name) => `-DWITH_${name.toUpperCase()}`)
    const common = COMMON_SOURCES.map((source): ObjectFile => {
      const path = join(folder, `${source.replaceAll('/', '-')}.o`)
      return { path, source, flags: ['-O2', ...defines, `-DSOURCES_HASH="${sources}"`] }
    })
    await inParallel(common, compile)
    const output = join(folder, 'exact1.node')
    await run(command, [...parameters, ...linkFlags(), ...built.map(({ path }) => path), '-o', output])
    const { problem } = sourcesOf(output)
    if (problem !== undefined) throw new Error(`error: it does not load: ${problem}`)
    install(output, target)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function kernelFiles(folder: string): ObjectFile[] {
  return instructionsOf(process.arch).map((instructions) => {
    const { name } = instructions
    const flags = ['-O3', `-DKERNELS=kernels_${name}`, `-DKERNELS_NAME="${name}"`, ...instructions.flags]
    return { path: join(folder, `kernels-${name}.o`), source: 'cpu/kernels.c', flags, instructions }
  })
}

function linkFlags(): string[] {
  if (process.platform === 'darwin') return ['-bundle', '-undefined', 'dynamic_lookup']
  if (process.platform === 'win32') return ['-shared', '-lsynchronization']
  return ['-shared', '-pthread']
}

/** Under its name all at once: a program that starts meanwhile loads the old one or the new one. */
function install(output: string, target: string): void {
  mkdirSync(dirname(target), { recursive: true })
  const ours = `${target}.${process.pid}`
  copyFileSync(output, ours)
  renameSync(ours, target)
}

/** Of which sources an addon is, or what Node says against it; asked in a process of its own: a broken file may end it, a good one stays loaded. */
function sourcesOf(path: string): { readonly sources?: string; readonly problem?: string } {
  if (!existsSync(path)) return { problem: 'there is none' }
  const load = `const addon = { exports: {} }
    try { process.dlopen(addon, process.argv[1]); console.log(addon.exports.sources) }
    catch (error) { console.log(error.message); process.exitCode = 1 }`
  const { status, stdout, signal } = spawnSync(process.execPath, ['-e', load, path], { encoding: 'utf8' })
  const said = stdout.trim()
  return status === 0 ? { sources: said } : { problem: said || `Node ended with ${signal ?? status}` }
}

function stampOf(sources: string): string {
  const kernels = instructionsOf(process.arch).flatMap(({ name, flags }) => [name, ...flags])
  return [sources, ...COMMON_FLAGS, ...kernels].join(' ')
}

function isBuilt(sources: string): boolean {
  if (!existsSync(NATIVE_BUILD) || !existsSync(STAMP) || readFileSync(STAMP, 'utf8') !== stampOf(sources)) return false
  // A folder that several systems share may have another system's.
  return sourcesOf(NATIVE_BUILD).problem === undefined
}

/** For doctor, where the folder can be written; gives what was against it. */
function noteFailure(failure: string): string {
  try {
    mkdirSync(dirname(NATIVE_FAILURE), { recursive: true })
    writeFileSync(NATIVE_FAILURE, `${failure}\n`)
    return ''
  } catch (error) {
    return `; ${messageOf(error)}`
  }
}

/** One line of what the compiler said. */
function firstError(error: unknown): string {
  const text = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error)
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  return (lines.find((line) => line.includes('error')) ?? lines[0] ?? 'no reason given').slice(0, 400)
}
