#!/usr/bin/env node
/** The program as built: `dist/` and the manifest, with compiled code cached between runs. */
import { enableCompileCache } from 'node:module'

enableCompileCache?.()
const { Errors, flush, run } = await import('@oclif/core')

try {
  await run(process.argv.slice(2), import.meta.url)
  await flush()
} catch (error) {
  if (error instanceof Errors.ExitError) {
    process.exitCode = error.oclif.exit
  } else {
    // Only what happens before a command starts comes here: an unknown command, a broken installation.
    const words = /^command (\S+) not found/.exec(error.message)?.[1]?.replaceAll(':', ' ')
    const message =
      words === undefined ? `${error.message} (BUG)` : `There is no command "${words}". See \`dllm --help\`. (USAGE)`
    if (process.argv.includes('--json')) {
      const [, text, code] = /^(.*) \((\w+)\)$/s.exec(message)
      process.stdout.write(`${JSON.stringify({ error: { code, message: text } })}\n`)
    } else {
      process.stderr.write(`Error: ${message}\n`)
    }
    process.exitCode = words === undefined ? 1 : 2
  }
}
