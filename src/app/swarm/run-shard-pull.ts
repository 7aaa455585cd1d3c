/**
 * The work of `dllm shard pull`: a model's files from other peers to this machine, and whatever of them is here stays as it is.
 * Spec: docs/spec/cli.md §14.
 * @module
 */
import type { PeerId } from '../../base/brand.ts'
import { withBootstrap } from '../background.ts'
import { segmentText } from '../chat/trace.ts'
import { loadConfig } from '../config.ts'
import type { Home } from '../home.ts'
import { openModelStore, type StoredModel } from '../model-store.ts'
import { loadNetwork } from '../networks.ts'
import { parseRun } from '../posts/post-flags.ts'
import { missingFiles, missingTokenizerFiles } from '../shards/model-files.ts'
import type { System } from '../system.ts'
import { withClientFetcher } from './client-fetcher.ts'
import type { ModelFetcher } from './model-fetcher.ts'
import { findHere } from './named-models.ts'
import { type PullTeller, sendersOf } from './pull-teller.ts'
import { bytesPerSecondOf } from './rate-flag.ts'
import { pulledText } from './swarm-files.ts'

export interface PullFlags {
  readonly network: string | undefined
  readonly segments?: string | undefined
  readonly bootstrap?: string[] | undefined
  readonly 'down-mib-s'?: number | undefined
}

export interface ShardPull {
  readonly home: Home
  /** Name or hash. */
  readonly model: string
  readonly flags: PullFlags
  readonly system: System
  readonly signal: AbortSignal
  readonly print: (line: string) => void
  readonly tell: (label: string) => PullTeller
}

/** What `--json` prints last. */
export interface ShardPullResult {
  readonly type: 'end'
  readonly model: string
  readonly hash: string
  readonly firstSegment: number
  /** Exclusive. */
  readonly lastSegment: number
  /** Of the files that were not here as a whole. */
  readonly totalBytes: number
  /** Of them, what was here. */
  readonly keptBytes: number
  /** Over the wire, with what was of no use. */
  readonly receivedBytes: number
  readonly from: readonly { readonly peer: PeerId; readonly bytes: number }[]
  readonly banned: number
}

/** @throws SwarmError, ShardError, ModelError, UsageError. */
export async function runShardPull(pull: ShardPull): Promise<ShardPullResult> {
  const { home, flags } = pull
  const { settings } = await loadConfig({ home, env: process.env, flags: { network: flags.network } })
  const network = withBootstrap(await loadNetwork(home, settings.network), flags.bootstrap ?? [])
  const here = findHere(pull.model, openModelStore({ home: home.path }))
  if (here !== undefined && wantedOf(here, flags).files.length === 0) return nothingToDo(pull, here)
  const downBytesPerSecond = bytesPerSecondOf(flags['down-mib-s'])
  return withClientFetcher({ ...pull, network, downBytesPerSecond, note: pull.print }, async (fetcher) => {
    const model = here ?? (await fetcher.model(pull.model, pull.signal))
    return fetchWanted(pull, fetcher, model)
  })
}

async function fetchWanted(pull: ShardPull, fetcher: ModelFetcher, model: StoredModel): Promise<ShardPullResult> {
  const { firstSegment, lastSegment, files } = wantedOf(model, pull.flags)
  if (files.length === 0) return nothingToDo(pull, model)
  const teller = pull.tell(model.manifest.name)
  try {
    const pulled = await fetcher.files(model, files, { signal: pull.signal, onProgress: teller.update })
    teller.end()
    pull.print(pulledText(pulled))
    const { totalBytes, keptBytes, receivedBytes, banned } = pulled
    const from = sendersOf(pulled)
    return { ...resultOf(model, { firstSegment, lastSegment }), totalBytes, keptBytes, receivedBytes, from, banned }
  } finally {
    teller.end()
  }
}

/** The segments that are wanted, and what is not here of them and of the tokenizer. */
function wantedOf(model: StoredModel, { segments }: PullFlags) {
  const run = parseRun(segments, model, '--segments')
  const files = [...missingFiles(model, run.firstSegment, run.lastSegment), ...missingTokenizerFiles(model)]
  return { ...run, files }
}

function nothingToDo(pull: ShardPull, model: StoredModel): ShardPullResult {
  const { firstSegment, lastSegment } = wantedOf(model, pull.flags)
  const { name } = model.manifest
  const noun = lastSegment - firstSegment === 1 ? 'Segment' : 'Segments'
  pull.print(`${noun} ${segmentText(firstSegment, lastSegment)} of ${name} and its tokenizer are here already.`)
  return {
    ...resultOf(model, { firstSegment, lastSegment }),
    totalBytes: 0,
    keptBytes: 0,
    receivedBytes: 0,
    from: [],
    banned: 0,
  }
}

function resultOf(
  { manifest, hash }: StoredModel,
  run: { readonly firstSegment: number; readonly lastSegment: number },
) {
  return { type: 'end' as const, model: manifest.name, hash, ...run }
}
