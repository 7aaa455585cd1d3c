/**
 * Imports of folders into a data folder that goes away after each test.
 * @module
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ImportOptions, importModel } from '../../../src/app/model-import.ts'
import type { StoredModel } from '../../../src/app/model-store.ts'
import { type Files, writeFolder } from './hugging-face-folder.ts'

export interface ImportWorld {
  readonly root: string
  readonly home: string
  /** Imports the files as model `tiny` in f32, unless the options say otherwise. */
  importFiles(files: Files, options?: Partial<ImportOptions>, signal?: AbortSignal): Promise<StoredModel>
  /** Names in the models folder, hidden ones included. */
  leftovers(): string[]
  remove(): void
}

export function createImportWorld(): ImportWorld {
  const root = mkdtempSync(join(tmpdir(), 'dllm-import-'))
  const home = join(root, 'home')
  return {
    root,
    home,
    async importFiles(files, options = {}, signal = new AbortController().signal) {
      const folder = writeFolder(root, files)
      const { model } = await importModel({ folder, home, name: 'tiny', format: 'f32', ...options }, signal)
      return model
    },
    leftovers() {
      const models = join(home, 'models')
      return existsSync(models) ? readdirSync(models) : []
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  }
}
