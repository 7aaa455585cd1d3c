/**
 * `npm test`: the whole check, in the order in which failures are cheapest to understand. Runs everything even after a
 * failure, and ends with `N passed, N failed`, where a check counts as one and each vitest test as one.
 * @module
 */
import { spawn, spawnSync } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { setPriority, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { findCompiler } from '../src/app/native-build/compiler.ts'

interface Check {
  readonly name: string
  readonly command: readonly [string, ...string[]]
  /** Why it does not run on this machine. */
  readonly skip?: string | undefined
}

interface Totals {
  passed: number
  failed: number
}

const root = join(import.meta.dirname, '..')
const binaries = join(root, 'node_modules/.bin')
const environment = {
  ...process.env,
  PATH: `${binaries}${delimiter}${process.env.PATH ?? ''}`,
  // Colour codes make logs unreadable; Biome has a flag of its own for it.
  ...(process.stdout.isTTY ? {} : { NO_COLOR: '1' }),
}
const NATIVE_SCRIPT = 'scripts/build-native.ts'
const WASM_SCRIPT = 'scripts/build-wasm.ts'
const BIOME_COLORS = process.stdout.isTTY ? '--colors=force' : '--colors=off'

const checks: readonly Check[] = [
  { name: 'types and build', command: ['tsc', '-b'] },
  { name: 'bundle', command: ['node', 'scripts/bundle.ts', '--if-changed'] },
  { name: 'types of tests, scripts and benchmarks', command: ['tsc', '-p', 'tsconfig.check.json'] },
  { name: 'format and lint', command: ['biome', 'ci', BIOME_COLORS, '--error-on-warnings', '.'] },
  { name: 'dead code', command: ['knip'] },
  { name: 'command manifest', command: ['node', 'scripts/manifest.ts', '--check'] },
  { name: 'native engine from source', command: ['node', NATIVE_SCRIPT, '--if-changed'], skip: nativeSkip() },
  { name: 'WebAssembly from source', command: ['node', WASM_SCRIPT, '--check'], skip: wasmSkip() },
]

/** Projects of vitest.config.ts that run at once. */
interface Lane {
  readonly projects: readonly string[]
  /** Above 0: it takes the time that others leave, and what it prints comes at its end. */
  readonly niceness: number
}

/** Alone, before the others. */
const ALONE: Lane = { projects: ['drivers'], niceness: 0 }
const LANES: readonly Lane[] = [
  { projects: ['processes', 'meeting'], niceness: 0 },
  { projects: ['computing'], niceness: 5 },
]

const totals: Totals = { passed: 0, failed: 0 }
const failures: string[] = []
for (const check of checks) runCheck(check)
await runTests()
if (failures.length > 0) console.log(`\nFailed: ${failures.join(', ')}`)
console.log(`\n${totals.passed} passed, ${totals.failed} failed`)
process.exitCode = totals.failed === 0 ? 0 : 1

function runCheck(check: Check): void {
  heading(check.name)
  if (check.skip !== undefined) {
    console.log(`skipped: ${check.skip}`)
    return
  }
  const passed = run(check.command)
  console.log(passed ? 'ok' : 'FAILED')
  count(check.name, passed ? 1 : 0, passed ? 0 : 1)
}

/** Tests that wait for each other most of the time, and beside them those that compute. */
async function runTests(): Promise<void> {
  heading('tests')
  const folder = mkdtempSync(join(tmpdir(), 'dllm-check-'))
  const alone = await runLane(ALONE, join(folder, 'alone'))
  count(`tests: ${ALONE.projects.join(', ')}`, alone.passed, alone.failed)
  const found = await Promise.all(LANES.map((lane, index) => runLane(lane, join(folder, `lane-${index}`))))
  for (const [index, { niceness }] of LANES.entries()) {
    if (niceness > 0) process.stdout.write(readFileSync(printedOf(join(folder, `lane-${index}`))))
  }
  rmSync(folder, { recursive: true })
  for (const [index, { passed, failed }] of found.entries()) {
    count(`tests: ${LANES[index]!.projects.join(', ')}`, passed, failed)
  }
}

/** Where a lane prints that must not disturb another. */
function printedOf(path: string): string {
  return `${path}.txt`
}

/** Vitest reports to the terminal or a file and, as JSON, to a file that holds the totals. */
async function runLane({ projects, niceness }: Lane, path: string): Promise<Totals> {
  const report = `${path}.json`
  const wanted = projects.flatMap((name) => ['--project', name])
  const printed = niceness > 0 ? openSync(printedOf(path), 'w') : undefined
  const output = printed ?? 'inherit'
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const child = spawn('vitest', ['run', ...wanted, ...reporters], {
    ...{ cwd: root, env: environment, stdio: ['ignore', output, output] },
  })
  const ended = new Promise<number | null>((resolve) => {
    child.once('error', (error) => {
      console.error(error.message)
      resolve(null)
    })
    child.once('close', resolve)
  })
  // What it starts has the same.
  if (child.pid !== undefined && niceness > 0) setPriority(child.pid, niceness)
  const code = await ended
  if (printed !== undefined) closeSync(printed)
  const { passed, failed } = readReport(report)
  // A file that does not load, or an error outside every test, has no failed test of its own.
  return { passed, failed: code !== 0 && failed === 0 ? 1 : failed }
}

function readReport(path: string): Totals {
  if (!existsSync(path)) return { passed: 0, failed: 0 }
  const report: { numPassedTests: number; numFailedTests: number } = JSON.parse(readFileSync(path, 'utf8'))
  return { passed: report.numPassedTests, failed: report.numFailedTests }
}

function run([command, ...parameters]: readonly [string, ...string[]]): boolean {
  const result = spawnSync(command, parameters, { cwd: root, env: environment, stdio: 'inherit' })
  if (result.error !== undefined) console.error(result.error.message)
  return result.status === 0
}

function count(name: string, passed: number, failed: number): void {
  totals.passed += passed
  totals.failed += failed
  if (failed > 0) failures.push(name)
}

function heading(name: string): void {
  console.log(`\n== ${name}`)
}

function nativeSkip(): string | undefined {
  return findCompiler() !== undefined ? undefined : 'there is no C compiler; the tests of the native engine are skipped'
}

function wasmSkip(): string | undefined {
  if (!existsSync(join(root, WASM_SCRIPT))) return `${WASM_SCRIPT} is not there`
  const hasCompiler = spawnSync('clang-19', ['--version'], { stdio: 'ignore' }).status === 0
  return hasCompiler ? undefined : 'clang-19 is not installed; the committed file is used as it is'
}
