#!/usr/bin/env node
/**
 * The program as built: `dist/` and the manifest. Compiled code is cached between runs, and `dllm --help` is printed from
 * the manifest before oclif loads. Errors that a command cannot catch, because none was found, end here.
 */
import { readFileSync } from 'node:fs'
import module from 'node:module'

const words = process.argv.slice(2)
// `dllm help wallet send` is `dllm wallet send --help`.
const argv = words[0] === 'help' && words.length > 1 ? [...words.slice(1), '--help'] : words
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
    process.stdout.write(`${rootHelp.replace('<%= userAgent %>', userAgent)}\n`)
    return true
  } catch {
    return false
  }
}

async function runCommand() {
  module.enableCompileCache?.()
  const { Errors, flush, run, settings } = await import('@oclif/core')
  // There is nothing to transpile: bin/dev.js runs the sources.
  settings.enableAutoTranspile = false
  try {
    await run(argv, import.meta.url)
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

/** Of a command that takes no arguments, oclif takes an argument for the name of another command. */
function unknownText(typed) {
  const names = typed.split(' ')
  for (let length = names.length - 1; length > 0; length--) {
    const known = names.slice(0, length).join(' ')
    const rest = names.slice(length).join(' ')
    const kind = kindOf(known)
    if (kind === 'command') return `\`dllm ${known}\` does not take "${rest}". See \`dllm ${known} --help\`.`
    if (kind === 'topic') return `There is no command "${typed}". See \`dllm ${known} --help\`.`
  }
  return `There is no command "${typed}". See \`dllm --help\`.`
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
