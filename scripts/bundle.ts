/**
 * Makes bundle/ of dist/ and node_modules: the same modules in few files, with which processes start in two thirds of the time (docs/adr/0015-bundle.md). Each command and each
 * worker is an entry at its path in dist/, what they share is in chunks, and what is imported late still is.
 *
 *   node scripts/bundle.ts [--if-changed] [--if-possible]
 *
 * --if-changed: nothing to do when the bundle is of these files. --if-possible: exit 0 whatever happens; without a bundle dist/ runs.
 */
import {
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import type { OutputChunk, Plugin } from 'rolldown'
import { freshBundle, stampNow } from '../bin/bundle.js'

const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')
const bundle = join(root, 'bundle')

/** Packages that find files of theirs by path, that are there on some machines only, or that one rare command loads. */
const EXTERNAL = [/^@tensorflow\//, 'webgpu', 'classic-level', '@huggingface/hub', 'ink', /^react(?:\/|$)/]
/** Entry files: what oclif loads by path, and what threads and processes begin with. */
const ENTRIES = '{commands/**/*,**/*-worker,**/*-entry}.js'
/** What nearly every process with a wire loads, as two files; by their importers it would be some forty. */
const GROUPS = [
  { name: 'keys', test: /node_modules[\\/](?:@libp2p[\\/](?:crypto|peer-id)|@?multiformats)[\\/]/, priority: 2 },
  { name: 'wire', test: /node_modules[\\/](?:@libp2p[\\/](?!kad-dht|gossipsub|mdns)|libp2p[\\/])/, priority: 1 },
]
/** The parts of oclif that bin/run.js uses: the instance that the commands have. */
const OCLIF = '\0oclif'
const OCLIF_CODE = `export { Errors, flush, run, settings } from '@oclif/core'`
/** Stands for the folder of the bundle until the depth of a file in it is known. */
const BUNDLE_URL = 'dllm-bundle:'

const has = (flag: string): boolean => process.argv.includes(flag)
/** A module of ours that asks where it is wants files beside it: workers, which are entries, or native/ and models/, which lie as far from bundle/ as from dist/. */
const OWN_URLS: Plugin = {
  name: 'own-urls',
  transform: {
    filter: { code: 'import.meta' },
    handler(code, id) {
      if (!id.startsWith(dist + sep)) return null
      const url = `new URL('${BUNDLE_URL}${slashed(relative(dist, id))}', import.meta.url).href`
      return code.replace(/import\.meta\b(\.url\b)?/g, (found, isUrl?: string) => {
        if (isUrl === undefined) throw new Error(`${id}: ${found} is known as import.meta.url only`)
        return `(${url})`
      })
    },
  },
}

const OCLIF_ENTRY: Plugin = {
  name: 'oclif-entry',
  resolveId: (id) => (id === OCLIF ? id : null),
  load: (id) => (id === OCLIF ? OCLIF_CODE : null),
}

if (!has('--if-changed') || freshBundle() === undefined) {
  try {
    await makeBundle()
  } catch (error) {
    if (!has('--if-possible')) throw error
    const [reason = ''] = String(error).split('\n', 1)
    console.log(`bundle: none, the program starts more slowly. ${reason}`)
  }
}

async function makeBundle(): Promise<void> {
  // Taken first: what changes from here on makes the bundle stale.
  const stamp = stampNow()
  const chunks = await readChunks()
  const files = new Map(chunks.map((chunk) => [chunk.fileName, codeOf(chunk)]))
  files.set('oclif.manifest.json', manifestText())
  files.set('LICENSES.txt', licensesText(chunks.flatMap(({ moduleIds }) => moduleIds)))
  const before = readFilesBefore()
  rmSync(join(bundle, 'bundle.json'), { force: true })
  // Whoever reads an entry finds its chunks.
  const chunksFirst = [...files].sort(([a], [b]) => Number(b.startsWith('chunks/')) - Number(a.startsWith('chunks/')))
  for (const [path, text] of chunksFirst) writeWhole(path, text)
  writeWhole('bundle.json', JSON.stringify({ stamp, files: [...files.keys()] }))
  // What runs now may still load files of the bundle before this one, but of no older one.
  const kept = new Set([...before, ...files.keys(), 'bundle.json'])
  for (const path of readdirSync(bundle, { recursive: true, encoding: 'utf8' })) removeUnless(kept, path)
  console.log(`bundle: ${files.size} files`)
}

/** The modules of dist/, not its sources: what runs without a bundle. */
async function readChunks(): Promise<OutputChunk[]> {
  const { rolldown } = await import('rolldown')
  const entries = globSync(ENTRIES, { cwd: dist }).filter(hasSource)
  const input = Object.fromEntries(entries.map((path) => [slashed(path).slice(0, -'.js'.length), join(dist, path)]))
  const build = await rolldown({
    input: { ...input, oclif: OCLIF },
    platform: 'node',
    external: EXTERNAL,
    plugins: [OWN_URLS, OCLIF_ENTRY],
    checks: { ineffectiveDynamicImport: false },
    onLog(_level, { message }) {
      throw new Error(message)
    },
  })
  const { output } = await build.generate({
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
    codeSplitting: { groups: GROUPS },
    comments: { legal: true, annotation: false, jsdoc: false },
    // Names are kept, for stack traces.
    minifyInternalExports: false,
  })
  await build.close()
  return output.filter((file) => file.type === 'chunk')
}

function codeOf({ code, fileName }: OutputChunk): string {
  return code.replaceAll(BUNDLE_URL, `./${'../'.repeat(fileName.split('/').length - 1)}`)
}

/** tsc leaves the output of deleted sources in dist/. */
function hasSource(path: string): boolean {
  return existsSync(join(root, 'src', path.replace(/\.js$/, '.ts')))
}

/** oclif finds commands by their paths below the folder of the manifest. */
function manifestText(): string {
  const text = readFileSync(join(root, 'oclif.manifest.json'), 'utf8')
  const manifest: { commands: Record<string, { relativePath: string[] }> } = JSON.parse(text)
  for (const command of Object.values(manifest.commands)) command.relativePath = command.relativePath.slice(1)
  return JSON.stringify(manifest)
}

/** The names and terms of the packages in the bundle, which travel with it. */
function licensesText(modules: readonly string[]): string {
  const folders = new Set(modules.flatMap((id) => /^.*node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(id)?.[0] ?? []))
  const texts = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    const files = readdirSync(folder).filter((file) => /^(?:licen[cs]e|notice)/i.test(file))
    const terms = files.filter((file) => statSync(join(folder, file)).isFile())
    return [`${name} ${version}: ${license}`, ...terms.map((file) => readFileSync(join(folder, file), 'utf8'))].join(
      '\n\n',
    )
  })
  return `${texts.join(`\n\n${'-'.repeat(72)}\n\n`)}\n`
}

function readFilesBefore(): readonly string[] {
  const path = join(bundle, 'bundle.json')
  if (!existsSync(path)) return []
  const { files }: { files: readonly string[] } = JSON.parse(readFileSync(path, 'utf8'))
  return files
}

/** Nobody ever reads half a file. */
function writeWhole(path: string, text: string): void {
  const target = join(bundle, path)
  if (existsSync(target) && readFileSync(target, 'utf8') === text) return
  mkdirSync(dirname(target), { recursive: true })
  const unfinished = `${target}.${process.pid}`
  writeFileSync(unfinished, text)
  renameSync(unfinished, target)
}

function removeUnless(kept: ReadonlySet<string>, path: string): void {
  const isFile = statSync(join(bundle, path), { throwIfNoEntry: false })?.isFile() === true
  if (isFile && !kept.has(slashed(path))) rmSync(join(bundle, path), { force: true })
}

function slashed(path: string): string {
  return path.split(sep).join('/')
}
