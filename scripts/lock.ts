/**
 * Completes package-lock.json with the optional packages of other platforms. Where the package source does not serve them,
 * `npm install` leaves them out, and `npm ci` then refuses the lock file everywhere. Run after every `npm install`.
 * Their platform follows from their names; without `integrity` npm trusts the version alone, as it does for any first install.
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

interface Entry {
  readonly version?: string
  readonly optional?: boolean
  readonly dev?: boolean
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly os?: readonly string[]
  readonly cpu?: readonly string[]
  readonly libc?: readonly string[]
}

const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const PROCESSORS = [
  'arm64',
  'x64',
  'ia32',
  'ppc64',
  'riscv64',
  'riscv32',
  's390x',
  'loong64',
  'mips64el',
  'wasm32',
  'arm',
]

const path = join(import.meta.dirname, '../package-lock.json')
const lock: { packages: Record<string, Entry> } = JSON.parse(readFileSync(path, 'utf8'))
const missing = Object.values(lock.packages).flatMap((entry) =>
  Object.entries(entry.optionalDependencies ?? {})
    .filter(([name]) => !isLocked(name))
    .map(([name, version]) => [`node_modules/${name}`, platformEntry(name, version, entry.dev === true)] as const),
)
// npm keeps the root first and sorts the rest.
const entries = [...Object.entries(lock.packages), ...missing].sort(([a], [b]) => a.localeCompare(b, 'en'))
writeFileSync(path, `${JSON.stringify({ ...lock, packages: Object.fromEntries(entries) }, undefined, 2)}\n`)
console.log(`${missing.length} packages of other platforms added to package-lock.json`)

function isLocked(name: string): boolean {
  return Object.keys(lock.packages).some((key) => key.endsWith(`node_modules/${name}`))
}

function platformEntry(name: string, version: string, dev: boolean): Entry {
  const words = name.split('/').at(-1)?.split('-') ?? []
  const os = SYSTEMS.filter((system) => words.includes(system))
  const cpu = PROCESSORS.filter((processor) => words.includes(processor))
  if (os.length !== 1 || cpu.length !== 1 || !/^\d+\.\d+\.\d+$/.test(version)) {
    throw new Error(
      `The platform of ${name}@${version} does not follow from its name: add it to the lock file by hand.`,
    )
  }
  const libc = words.includes('musl') ? ['musl'] : words.includes('gnu') ? ['glibc'] : []
  return { version, cpu, ...(dev ? { dev } : {}), ...(libc.length > 0 ? { libc } : {}), optional: true, os }
}
