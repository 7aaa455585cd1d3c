/**
 * Imports from a server on loopback into a data folder that goes away after each test. Waiting takes no time and is written down.
 * @module
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ImportByNameOptions, importByName } from '../../../../src/app/import/import-by-name.ts'
import type { StoredModel } from '../../../../src/app/model-store.ts'
import { milliseconds } from '../../../../src/base/brand.ts'
import type { Clock } from '../../../../src/base/ports.ts'
import { type Files, tinyFiles } from '../hugging-face-folder.ts'
import { type HubServer, startHubServer } from './hub-server.ts'

export interface HubWorld {
  readonly server: HubServer
  readonly home: string
  /** Milliseconds of each wait. */
  readonly waits: number[]
  /** Does now what is due after a silence. */
  fallSilent(): void
  /** Imports `hf:owner/tiny` as f32, unless the options say otherwise. */
  importIt(options?: Partial<ImportByNameOptions>, signal?: AbortSignal): Promise<StoredModel>
  /** Files below downloads/, with their folders. */
  downloads(): string[]
  close(): Promise<void>
}

/** Bytes of files as a repository has them. */
export function repositoryFiles(files: Files = tinyFiles()): Record<string, Uint8Array> {
  return Object.fromEntries(
    Object.entries(files)
      .filter(([, content]) => content !== undefined)
      .map(([name, content]) => [
        name,
        content instanceof Uint8Array ? content : new TextEncoder().encode(JSON.stringify(content)),
      ]),
  )
}

export async function createHubWorld(files?: Files): Promise<HubWorld> {
  const server = await startHubServer(repositoryFiles(files))
  const root = mkdtempSync(join(tmpdir(), 'dllm-hub-'))
  const home = join(root, 'home')
  const waits: number[] = []
  const due = new Set<() => void>()
  const clock: Clock = {
    now: () => milliseconds(0),
    wallMs: () => milliseconds(0),
    sleep: async (delayMs, signal) => {
      if (signal?.aborted) throw signal.reason
      waits.push(delayMs)
    },
    schedule(_delayMs, task) {
      due.add(task)
      return () => due.delete(task)
    },
  }
  return {
    ...{ server, home, waits },
    fallSilent: () => {
      for (const task of due) task()
    },
    async importIt(options = {}, signal = new AbortController().signal) {
      const { endpoint } = server
      const plain = { source: 'hf:owner/tiny', home, format: 'f32', endpoint, token: undefined, keep: false } as const
      return (await importByName({ ...plain, ...options }, { clock }, signal)).model
    },
    downloads() {
      const folder = join(home, 'downloads')
      return existsSync(folder) ? readdirSync(folder, { recursive: true }).map(String).sort() : []
    },
    async close() {
      await server.close()
      rmSync(root, { recursive: true, force: true })
    },
  }
}
