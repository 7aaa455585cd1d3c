/**
 * Builds the native engine's addon from native/ with the C compiler at hand (CC, else cc, gcc, clang), without headers of
 * Node: native/build/exact1.node. Runs at install, so nothing that is missing or fails is an error then: the program has
 * the wasm engine, and `dllm doctor` tells the reason from native/build/failure.txt.
 *
 *   node scripts/build-native.ts [--if-changed] [--if-possible] [--prebuild]
 *
 * --if-changed: nothing to do when the addon is of these sources. --if-possible: the same, and exit 0 whatever happens. --prebuild: to
 * native/prebuilds/<platform>-<arch>/, where a published package has it.
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
import {
  hashNativeSources,
  NATIVE_BUILD,
  NATIVE_FAILURE,
  NATIVE_FOLDER,
  NATIVE_PREBUILD,
} from '../src/app/native-files.ts'
import { messageOf } from '../src/base/error.ts'
import {
  COMMON_FLAGS,
  COMMON_SOURCES,
  type Compiler,
  findCompiler,
  type Instructions,
  instructionsOf,
} from './native-sources.ts'

interface ObjectFile {
  readonly path: string
  readonly source: string
  readonly flags: readonly string[]
  readonly instructions?: Instructions
}

const run = promisify(execFile)

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

async function build([command, ...parameters]: Compiler, sources: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'exact1-native-'))
  try {
    const kernels = instructionsOf(process.arch).map(
      (instructions): ObjectFile => ({
        path: join(folder, `kernels-${instructions.name}.o`),
        source: 'cpu/kernels.c',
        flags: [
          '-O3',
          `-DKERNELS=kernels_${instructions.name}`,
          `-DKERNELS_NAME="${instructions.name}"`,
          ...instructions.flags,
        ],
        instructions,
      }),
    )
    const built: ObjectFile[] = []
    const compile = async (file: ObjectFile) => {
      const args = [
        ...parameters,
        ...COMMON_FLAGS,
        ...file.flags,
        '-c',
        join(NATIVE_FOLDER, file.source),
        '-o',
        file.path,
      ]
      try {
        await run(command, args)
        built.push(file)
      } catch (error) {
        // A compiler that does not know the instructions: the others remain.
        if (file.instructions === undefined || file.instructions.name === 'generic') throw error
      }
    }
    await inParallel(kernels, compile)
    const defines = built.flatMap(({ instructions }) =>
      instructions ? [`-DWITH_${instructions.name.toUpperCase()}`] : [],
    )
    const common = COMMON_SOURCES.map((source): ObjectFile => {
      const path = join(folder, `${source.replaceAll('/', '-')}.o`)
      return { path, source, flags: ['-O2', ...defines, `-DSOURCES_HASH="${sources}"`] }
    })
    await inParallel(common, compile)
    const output = join(folder, 'exact1.node')
    await run(command, [...parameters, ...linkFlags(), ...built.map(({ path }) => path), '-o', output])
    const problem = loadProblem(output)
    if (problem !== undefined) throw new Error(`error: it does not load: ${problem}`)
    install(output)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function linkFlags(): string[] {
  if (process.platform === 'darwin') return ['-bundle', '-undefined', 'dynamic_lookup']
  if (process.platform === 'win32') return ['-shared', '-lsynchronization']
  return ['-shared', '-pthread']
}

/** Under its name all at once: a program that starts meanwhile loads the old one or the new one. */
function install(output: string): void {
  const target = process.argv.includes('--prebuild') ? NATIVE_PREBUILD : NATIVE_BUILD
  mkdirSync(dirname(target), { recursive: true })
  const ours = `${target}.${process.pid}`
  copyFileSync(output, ours)
  renameSync(ours, target)
}

/** What Node says against this addon, asked in a process of its own: a broken file may end it, a good one stays loaded. */
function loadProblem(path: string): string | undefined {
  const load =
    'try { process.dlopen({ exports: {} }, process.argv[1]) } catch (error) { console.log(error.message); process.exitCode = 1 }'
  const { status, stdout, signal } = spawnSync(process.execPath, ['-e', load, path], { encoding: 'utf8' })
  return status === 0 ? undefined : stdout.trim() || `Node ended with ${signal ?? status}`
}

/** Of which sources and flags the addon is. */
const STAMP = `${NATIVE_BUILD}.sources`

function stampOf(sources: string): string {
  const kernels = instructionsOf(process.arch).flatMap(({ name, flags }) => [name, ...flags])
  return [sources, ...COMMON_FLAGS, ...kernels].join(' ')
}

/** For doctor, where the folder can be written. */
function noteFailure(failure: string): void {
  try {
    mkdirSync(dirname(NATIVE_FAILURE), { recursive: true })
    writeFileSync(NATIVE_FAILURE, `${failure}\n`)
  } catch (error) {
    console.log(`native engine: ${messageOf(error)}`)
  }
}

/** One line of what the compiler said. */
function firstError(error: unknown): string {
  const text = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error)
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  return (lines.find((line) => line.includes('error')) ?? lines[0] ?? 'no reason given').slice(0, 400)
}

function isBuilt(sources: string): boolean {
  if (!existsSync(NATIVE_BUILD) || !existsSync(STAMP) || readFileSync(STAMP, 'utf8') !== stampOf(sources)) return false
  // A folder that several systems share may have another system's.
  return loadProblem(NATIVE_BUILD) === undefined
}

async function main(): Promise<number> {
  const ifPossible = process.argv.includes('--if-possible')
  const sources = hashNativeSources()
  if ((ifPossible || process.argv.includes('--if-changed')) && isBuilt(sources)) return 0
  const compiler = findCompiler()
  if (compiler === undefined) {
    noteFailure('There was no C compiler when this program was installed.')
    console.log('native engine: no C compiler (cc, gcc, clang or CC); the wasm engine is used instead')
    return ifPossible ? 0 : 1
  }
  try {
    await build(compiler, sources)
    rmSync(NATIVE_FAILURE, { force: true })
    if (!process.argv.includes('--prebuild')) writeFileSync(STAMP, stampOf(sources))
  } catch (error) {
    noteFailure(`${compiler.join(' ')} failed when it was built: ${firstError(error)}.`)
    console.log(`native engine: ${compiler.join(' ')} failed; the wasm engine is used instead`)
    if (!ifPossible) console.log(error instanceof Error ? error.message : String(error))
    return ifPossible ? 0 : 1
  }
  console.log(`native engine: built with ${compiler.join(' ')}`)
  return 0
}

process.exitCode = await main()
