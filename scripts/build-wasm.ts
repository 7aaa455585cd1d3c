/**
 * Builds native/exact1.wasm from native/exact1.c with clang 19. `--check` compares instead: exit 1 when the committed
 * bytes are not what the source gives. Without the compiler a check is skipped, except on CI (CI=true).
 *
 *   node scripts/build-wasm.ts [--check]
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const COMPILER = 'clang-19'
const SOURCE = fileURLToPath(new URL('../native/exact1.c', import.meta.url))
const TARGET = fileURLToPath(new URL('../native/exact1.wasm', import.meta.url))

/** No fused multiply-add, no fast math: docs/spec/numerics.md. Sizes: src/ml/engine/wasm-heap.ts, FIRST_PAGES. */
const FLAGS = [
  ...['--target=wasm32', '-std=c17', '-O3', '-Wall', '-Wextra', '-Werror', '-ffreestanding', '-nostdlib'],
  ...['-ffp-contract=off', '-fno-math-errno'],
  ...['-matomics', '-mbulk-memory', '-msimd128', '-mrelaxed-simd', '-mnontrapping-fptoint'],
  ...['--import-memory', '--shared-memory', '--no-entry', '--strip-all'].map((flag) => `-Wl,${flag}`),
  ...['--initial-memory=1048576', '--max-memory=4294967296', '--export=__stack_pointer'].map((flag) => `-Wl,${flag}`),
  '-Wl,-z,stack-size=131072',
]

function build(): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'exact1-'))
  try {
    const output = join(folder, 'exact1.wasm')
    execFileSync(COMPILER, [...FLAGS, SOURCE, '-o', output], { stdio: ['ignore', 'inherit', 'inherit'] })
    return readFileSync(output)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function main(): number {
  const check = process.argv.includes('--check')
  if (spawnSync(COMPILER, ['--version']).error) {
    const required = !check || process.env['CI'] === 'true'
    console.log(`${required ? 'error' : 'skipped'}: no ${COMPILER} (Debian: apt install clang-19 lld-19)`)
    return required ? 1 : 0
  }
  const bytes = build()
  if (!check) {
    writeFileSync(TARGET, bytes)
    console.log(`native/exact1.wasm: ${bytes.length} bytes`)
    return 0
  }
  const same = Buffer.compare(bytes, readFileSync(TARGET)) === 0
  console.log(
    same ? 'native/exact1.wasm is what native/ gives' : 'native/exact1.wasm is stale: run scripts/build-wasm.ts',
  )
  return same ? 0 : 1
}

process.exitCode = main()
