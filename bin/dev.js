#!/usr/bin/env node
/**
 * The program straight from `src/`, without a build: Node strips the types. Shows stack traces.
 * Reads the command files themselves instead of the manifest, so that new flags show at once.
 */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { execute, settings } from '@oclif/core'

const root = fileURLToPath(new URL('..', import.meta.url))
const packageJson = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'))
packageJson.oclif.commands = './src/commands'
settings.debug = true
settings.enableAutoTranspile = false
await execute({ loadOptions: { root, pjson: packageJson, ignoreManifest: true } })
