/**
 * Writes oclif.manifest.json from the built commands, so that `--help` answers without loading any of them. Its field
 * `rootHelp` is the text of `dllm --help`, which bin/run.js prints without loading oclif either.
 * `--check` writes nothing and fails, naming the commands, when the file is not what the commands give.
 * @module
 */
import { existsSync } from 'node:fs'
import { glob, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'

interface Manifest {
  readonly commands: Readonly<Record<string, unknown>>
  readonly version: string
  readonly rootHelp: string
}

const root = join(import.meta.dirname, '..')
const path = join(root, 'oclif.manifest.json')

// The width of help is read when oclif loads.
process.env.OCLIF_COLUMNS = '80'
await removeStaleCommands()
const built = await buildManifest()
const text = `${JSON.stringify(built, undefined, 2)}\n`
if (process.argv.includes('--check')) {
  await check()
} else {
  await writeFile(path, text)
  console.log(`${Object.keys(built.commands).length} commands in oclif.manifest.json`)
}

/** tsc leaves the output of deleted sources in dist/, and oclif would take it for commands. */
async function removeStaleCommands(): Promise<void> {
  for await (const file of glob('**/*.js', { cwd: join(root, 'dist/commands') })) {
    const source = join(root, 'src/commands', file.replace(/\.js$/, '.ts'))
    if (!existsSync(source)) await rm(join(root, 'dist/commands', file))
  }
}

async function buildManifest(): Promise<Manifest> {
  const { Config, Help, Plugin } = await import('@oclif/core')
  const config = await Config.load({ root, ignoreManifest: true, errorOnManifestCreate: true })
  const plugin = config.plugins.get(config.name)
  if (!(plugin instanceof Plugin)) throw new Error('oclif did not load the commands')
  const lines: string[] = []
  class RootHelp extends Help {
    override log(...parts: string[]): void {
      lines.push(parts.join(' '))
    }
  }
  await new RootHelp(config, config.pjson.oclif.helpOptions).showHelp([])
  const commands = Object.entries(plugin.manifest.commands).sort(([a], [b]) => (a < b ? -1 : 1))
  const [description = '', ...rest] = stripVTControlCharacters(lines.join('\n')).split('\n')
  // oclif wraps all but its first line.
  const wrapped = description.replace(/(.{1,80})(?: |$)/g, '$1\n').trimEnd()
  const rootHelp = [wrapped, ...rest].join('\n').replace(config.userAgent, '<%= userAgent %>')
  // Plain JSON: what a read of the file would give.
  return JSON.parse(
    JSON.stringify({ commands: Object.fromEntries(commands), version: plugin.manifest.version, rootHelp }),
  )
}

async function check(): Promise<void> {
  const committed = await readFile(path, 'utf8').catch(() => '')
  if (committed === text) {
    console.log(`oclif.manifest.json agrees with ${Object.keys(built.commands).length} commands`)
    return
  }
  const before: Manifest = committed === '' ? { commands: {}, version: '', rootHelp: '' } : JSON.parse(committed)
  for (const id of new Set([...Object.keys(before.commands), ...Object.keys(built.commands)])) {
    if (!(id in built.commands)) console.error(`- ${id}: in the manifest, not in src/commands`)
    else if (!(id in before.commands)) console.error(`+ ${id}: in src/commands, not in the manifest`)
    else if (JSON.stringify(before.commands[id]) !== JSON.stringify(built.commands[id]))
      console.error(`~ ${id}: differs`)
  }
  console.error('oclif.manifest.json is out of date. Run `npm run build` and commit it.')
  process.exitCode = 1
}
