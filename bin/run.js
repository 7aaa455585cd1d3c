#!/usr/bin/env node
/**
 * The program as built: `dist/`, or the bundle of it (bundle.js), and the manifest. Compiled code is cached between runs, and `dllm --help` is printed from
 * the manifest before oclif loads. Errors that a command cannot catch, because none was found, end here.
 * Advice names commands as the person types them: `npx dllm …` for who came by npx.
 */
import { readFileSync } from 'node:fs'
import module from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { freshBundle } from './bundle.js'

const words = process.argv.slice(2)
// `dllm help wallet send` is `dllm wallet send --help`.
const argv = words[0] === 'help' && words.length > 1 ? [...words.slice(1), '--help'] : words
const bin = nameTyped()
process.stdout.on('error', endWithReader)
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 12)) {
  fail(
    'NODE_TOO_OLD',
    `dllm needs Node 22.12 or newer, and this is ${process.version}. In a clone of the repository, \`npx dllm\` brings its own.`,
    1,
  )
} else if (!printRootHelp()) {
  await runCommand()
}

/** npx says whose script it runs; processes that this one starts inherit that, and only their logs show it. */
function nameTyped() {
  const { npm_lifecycle_event: event, npm_lifecycle_script: script = '' } = process.env
  return event === 'npx' && /^['"]?dllm\b/.test(script) ? 'npx dllm' : 'dllm'
}

/** A reader that leaves early, as `head` does, has what it wanted; ending lets miners stop too. */
function endWithReader(error) {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
}

/** `dllm`, `dllm --help` and `dllm help`. Without a manifest, as in development, oclif does it. */
function printRootHelp() {
  if (argv.length > 1 || ![undefined, '--help', 'help'].includes(argv[0])) return false
  try {
    const { rootHelp, version } = JSON.parse(readFileSync(new URL('../oclif.manifest.json', import.meta.url), 'utf8'))
    const userAgent = `dllm/${version} ${process.platform}-${process.arch} node-${process.version}`
    const text = rootHelp.replace('<%= userAgent %>', userAgent).replace('$ dllm', `$ ${bin}`)
    process.stdout.write(`${text}\n`)
    return true
  } catch {
    return false
  }
}

async function runCommand() {
  // Threads and processes that this one starts take the cache from the environment.
  const { directory } = module.enableCompileCache?.() ?? {}
  if (directory !== undefined) process.env.NODE_COMPILE_CACHE ??= directory
  // The version of Node was looked at above; oclif would load semver for it.
  process.env.OCLIF_DISABLE_ENGINE_WARNING ??= '1'
  const bundle = freshBundle()
  const oclif = bundle === undefined ? '@oclif/core' : pathToFileURL(`${bundle}oclif.js`).href
  const { Errors, flush, run, settings } = await import(oclif)
  // There is nothing to transpile: bin/dev.js runs the sources.
  settings.enableAutoTranspile = false
  try {
    await run(argv, loadOptions(bundle))
    await flush()
  } catch (error) {
    if (error instanceof Errors.ExitError) {
      process.exitCode = error.oclif.exit
      return
    }
    const unknown = /^command (.+?) not found\.?$/i.exec(error.message)?.[1]?.replaceAll(':', ' ')
    if (unknown === undefined) fail('BUG', error.message, 1)
    else fail('USAGE', unknownText(unknown), 2)
  }
}

/** oclif takes the name of the program, and where its commands are, from package.json; it looks for a manifest in `root`. */
function loadOptions(bundle) {
  if (bin === 'dllm' && bundle === undefined) return import.meta.url
  const pjson = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  pjson.oclif.bin = bin
  if (bundle !== undefined) pjson.oclif.commands = './commands'
  return { root: bundle ?? fileURLToPath(new URL('..', import.meta.url)), pjson }
}

/** Of a command that takes no arguments, oclif takes an argument for the name of another command. */
function unknownText(typed) {
  const names = typed.split(' ')
  for (let length = names.length - 1; length > 0; length--) {
    const known = names.slice(0, length).join(' ')
    const rest = names.slice(length).join(' ')
    const kind = kindOf(known)
    if (kind === 'command') return `\`${bin} ${known}\` does not take "${rest}". See \`${bin} ${known} --help\`.`
    if (kind === 'topic') return `There is no command "${typed}". See \`${bin} ${known} --help\`.`
  }
  return `There is no command "${typed}". See \`${bin} --help\`.`
}

function kindOf(name) {
  const id = name.replaceAll(' ', ':')
  try {
    const { commands } = JSON.parse(readFileSync(new URL('../oclif.manifest.json', import.meta.url), 'utf8'))
    if (Object.hasOwn(commands, id)) return 'command'
    return Object.keys(commands).some((other) => other.startsWith(`${id}:`)) ? 'topic' : undefined
  } catch {
    return undefined
  }
}

function fail(code, message, exitCode) {
  if (argv.includes('--json')) process.stdout.write(`${JSON.stringify({ error: { code, message } })}\n`)
  else process.stderr.write(`Error: ${message} (${code})\n`)
  process.exitCode = exitCode
}
