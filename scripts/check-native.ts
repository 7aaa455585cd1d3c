/**
 * Builds and runs the kernels' own test program (native/test/kernels.c): plain, under the sanitizers of addresses, undefined
 * behaviour and threads, and under valgrind. What a machine lacks is said and left out. `--short`: the sanitizers of
 * addresses and undefined behaviour alone, on two sets of instructions.
 *
 *   node scripts/check-native.ts [--short] [plain] [address] [thread] [valgrind]
 */
import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  COMMON_FLAGS,
  COMMON_SOURCES,
  findCompiler,
  type Instructions,
  instructionsOf,
} from '../src/app/native-build/compiler.ts'
import { NATIVE_FOLDER } from '../src/app/native-files.ts'

interface Mode {
  readonly flags: readonly string[]
  /** Of the pool's test. */
  readonly rounds: number
  readonly command?: readonly [string, ...string[]]
}

const MODES: Readonly<Record<string, Mode>> = {
  plain: { flags: ['-O3'], rounds: 50 },
  address: { flags: ['-O1', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'], rounds: 3 },
  thread: { flags: ['-O1', '-g', '-fsanitize=thread'], rounds: 3 },
  valgrind: {
    flags: ['-O1', '-g'],
    rounds: 1,
    command: ['valgrind', '--quiet', '--error-exitcode=1', '--leak-check=full'],
  },
}

/** In plain C: layouts of instructions that this machine may lack. */
const EMULATED: readonly Instructions[] = [
  { name: 'plain8', flags: ['-DWIDTH=8'] },
  { name: 'plain16', flags: ['-DWIDTH=16', '-DUNIT_ROWS=16'] },
  { name: 'dots4', flags: ['-DWIDTH=4', '-DSUMS_OF_FOUR=1'] },
  { name: 'dots8', flags: ['-DWIDTH=8', '-DSUMS_OF_FOUR=1'] },
  { name: 'dots16', flags: ['-DWIDTH=16', '-DUNIT_ROWS=16', '-DSUMS_OF_FOUR=1'] },
]

const run = promisify(execFile)
const [compiler, ...parameters] = findCompiler() ?? ['cc']
const isShort = process.argv.includes('--short')
const asked = process.argv.slice(2).filter((argument) => argument in MODES)

/** Optimised even under a sanitizer: kernels of unoptimised vectors take minutes. */
function kernelsOf(): readonly Instructions[] {
  const real = instructionsOf(process.arch)
  return isShort ? real.filter(({ name }) => name === 'avx2' || name === 'generic') : [...real, ...EMULATED]
}

async function build(mode: Mode, folder: string): Promise<string> {
  const kernels = kernelsOf()
  const defines = [
    ...kernels.map(({ name }) => `-DWITH_${name.toUpperCase()}`),
    ...(isShort ? [] : ['-DWITH_EMULATED']),
  ]
  const sources = [
    ...COMMON_SOURCES.filter((source) => source !== 'cpu/addon.c'),
    'test/kernels.c',
    'test/apart.c',
    'test/crew.c',
  ]
  const objects = [
    ...kernels.map(({ name, flags }) => ({
      source: 'cpu/kernels.c',
      path: join(folder, `${name}.o`),
      flags: [...flags, `-DKERNELS=kernels_${name}`, `-DKERNELS_NAME="${name}"`],
    })),
    ...sources.map((source) => ({ source, path: join(folder, `${source.replaceAll('/', '-')}.o`), flags: defines })),
  ]
  const queue = [...objects]
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { source, path, flags } = next
      await run(compiler, [
        ...parameters,
        ...COMMON_FLAGS,
        ...mode.flags,
        ...flags,
        '-c',
        join(NATIVE_FOLDER, source),
        '-o',
        path,
      ])
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, worker))
  const program = join(folder, 'kernels')
  await run(compiler, [...parameters, ...mode.flags, '-pthread', ...objects.map(({ path }) => path), '-o', program])
  return program
}

async function check(name: string): Promise<boolean> {
  const mode = MODES[name]!
  const [tool, ...options] = mode.command ?? []
  if (tool !== undefined && spawnSync(tool, ['--version']).error) {
    console.log(`${name}: skipped, ${tool} is not installed`)
    return true
  }
  const folder = mkdtempSync(join(tmpdir(), 'exact1-check-'))
  try {
    const program = await build(mode, folder)
    const command = tool === undefined ? [program] : [tool, ...options, program]
    const { status } = spawnSync(command[0]!, [...command.slice(1), String(isShort ? 1 : mode.rounds)], {
      stdio: 'inherit',
    })
    console.log(`${name}: ${status === 0 ? 'clean' : 'FAILED'}`)
    return status === 0
  } catch (error) {
    console.log(`${name}: does not build\n${error instanceof Error ? error.message : String(error)}`)
    return false
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const names = isShort ? ['address'] : asked.length > 0 ? asked : Object.keys(MODES)
let isClean = true
for (const name of names) isClean = (await check(name)) && isClean
process.exitCode = isClean ? 0 : 1
