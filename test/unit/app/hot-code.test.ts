import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'

/** Prints whether V8 has optimised a function after 150 calls, each in a turn of its own as steps are. */
const PROGRAM = `
import { compileHotCodeSoon } from './src/app/hot-code.ts'
if (process.argv[1] === 'soon') compileHotCodeSoon()
function step(token) {
  return (token * 7) % 13
}
let sum = 0
for (let token = 0; token < 150; token++) {
  sum += step(token)
  await new Promise((resolve) => setImmediate(resolve))
}
// Bit 4 of V8's OptimizationStatus: kOptimized.
console.log((%GetOptimizationStatus(step) & 16) !== 0)
`

function optimised(...args: string[]): { out: string; errors: string } {
  const flags = ['--allow-natives-syntax', '--no-concurrent-recompilation', '--no-use-osr']
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [...flags, '--no-warnings', '--input-type=module', '-e', PROGRAM, ...args],
    { encoding: 'utf8' },
  )
  return { out: stdout.trim(), errors: stderr }
}

test('a function that runs once per step is optimised after 150 steps; without being told to, not yet', () => {
  expect(optimised('soon')).toEqual({ out: 'true', errors: '' })
  expect(optimised('late')).toEqual({ out: 'false', errors: '' })
})
