#!/usr/bin/env node
/**
 * When the package is installed: builds the native engine where none was delivered that runs here, and a C compiler is there. What fails is no error:
 * the program has the wasm engine. A clone has no `dist/` yet then, and its `prepare` script does it.
 */
import { existsSync } from 'node:fs'

const built = new URL('../dist/app/native-build/build.js', import.meta.url)
if (existsSync(built)) {
  const { buildNative } = await import(built.href)
  const { told } = await buildNative({ when: 'needed' })
  if (told !== '') console.log(`native engine: ${told.split('\n', 1)[0]}`)
}
