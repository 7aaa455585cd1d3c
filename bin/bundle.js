/**
 * The bundle: the program of dist/ and what it loads of node_modules in few files: processes start in two thirds of the time. Made by scripts/bundle.ts. It must never
 * run instead of newer code, so it holds a stamp of what it was made of, and whoever starts the program compares.
 */
import { readFileSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const ROOT = new URL('..', import.meta.url)

/** `tsc -b` writes one of these for each folder whose sources, or those below it, have changed. A package has none. */
const BUILDS = ['base', 'core', 'ml', 'net', 'app', 'tui', 'commands'].map((name) => `dist/.tsbuildinfo/${name}`)
/** npm writes the first whenever it installs something. */
const OTHERS = ['node_modules/.package-lock.json', 'package.json', 'oclif.manifest.json', 'scripts/bundle.ts']

/** What a bundle made now would be made of: each file with its time and size. Empty in a package, where nothing changes. */
export function stampNow(root = ROOT) {
  const stats = (path) => statSync(new URL(path, root), { throwIfNoEntry: false })
  const lines = (paths) =>
    paths.map((path) => {
      const { mtimeMs, size } = stats(path) ?? {}
      return `${path} ${mtimeMs} ${size}`
    })
  return BUILDS.some((path) => stats(path)) ? lines([...BUILDS, ...OTHERS]).join('\n') : ''
}

/** The folder of the bundle, with a slash at its end; undefined when there is none, or it is of other files than these. */
export function freshBundle(root = ROOT) {
  const bundle = new URL('bundle/', root)
  try {
    const { stamp } = JSON.parse(readFileSync(new URL('bundle.json', bundle), 'utf8'))
    const now = stampNow(root)
    return now === '' || now === stamp ? fileURLToPath(bundle) : undefined
  } catch {
    return undefined
  }
}
