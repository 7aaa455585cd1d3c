/**
 * Files of the posts of a miner, from other peers where they are not here. Says how far it is.
 * Spec: docs/spec/shards.md §7.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { codeOf, messageOf } from '../../base/error.ts'
import { segmentText } from '../chat/trace.ts'
import type { StoredModel } from '../model-store.ts'
import { createDiskFiles, type ModelFiles } from '../posts/model-files.ts'
import type { PostWish } from '../posts/post.ts'
import { missingFiles, missingTokenizerFiles } from '../shards/model-files.ts'
import { readUses } from '../shards/model-references.ts'
import { verifyShards } from '../shards/verify-shards.ts'
import { formatBytes } from '../table.ts'
import type { ModelFetcher } from './model-fetcher.ts'
import type { PulledFiles } from './pull-files.ts'
import type { PullTeller } from './pull-teller.ts'

export interface SwarmFiles extends ModelFiles {
  /** What it fetches with; made when it is asked for first. */
  fetcher(): Promise<ModelFetcher>
  /** Sets a file aside that the disk has damaged, and fetches its wrong chunks anew, beside everything else. */
  repair(root: Hash): void
  close(): Promise<void>
}

export interface SwarmFilesOptions {
  readonly home: string
  /** There are no other data folders, as in the local network: what is missing stays so, and is told of. */
  readonly isAlone?: boolean
  /** Made when something is missing for the first time. */
  readonly fetcher: () => Promise<ModelFetcher>
  /** Told of each download. */
  readonly tell: (label: string) => PullTeller
  readonly print: (line: string) => void
}

export function createSwarmFiles({ home, isAlone = false, fetcher, tell, print }: SwarmFilesOptions): SwarmFiles {
  const disk = createDiskFiles(home)
  const closing = new AbortController()
  const background = new Set<Promise<void>>()
  let opened: Promise<ModelFetcher> | undefined
  const open = (): Promise<ModelFetcher> => {
    opened ??= fetcher()
    return opened
  }
  const fetchShards = async (wish: PostWish, signal: AbortSignal): Promise<void> => {
    const { model, firstSegment, lastSegment } = wish
    const missing = missingFiles(model, firstSegment, lastSegment)
    if (missing.length === 0) return
    const { name } = model.manifest
    const bytes = missing.reduce((sum, file) => sum + file.bytes, 0)
    const noun = lastSegment - firstSegment === 1 ? 'segment' : 'segments'
    const which = `${noun} ${segmentText(firstSegment, lastSegment)} of ${name}`
    print(`Fetching what is missing of ${which} from other peers: ${formatBytes(bytes)}.`)
    const teller = tell(name)
    const from = await open()
    try {
      const pulled = await from.files(model, missing, { signal, onProgress: teller.update })
      teller.end()
      print(pulledText(pulled))
    } finally {
      teller.end()
    }
  }
  const inBackground = (task: () => Promise<void>, onFailure: (error: unknown) => void): void => {
    const work = task()
      .catch((error: unknown) => {
        if (!closing.signal.aborted) onFailure(error)
      })
      .finally(() => background.delete(work))
    background.add(work)
  }
  const repairNow = async (root: Hash): Promise<void> => {
    const [use] = readUses(home).get(root) ?? []
    const what = use === undefined ? root : `${use.name} of ${use.model.manifest.name}`
    print(`The disk has damaged ${what}: it is given to no peer any more. What this miner has loaded is right.`)
    const [found] = await verifyShards({ home, root, onProgress: () => undefined }, closing.signal)
    if (use === undefined || found?.isSetAside !== true) return print(`Run \`dllm shard verify\` to see what to do.`)
    await (await open()).files(use.model, [{ root, bytes: use.bytes }], { signal: closing.signal })
    print(`${what} is whole again. Disks that damage files do it again: look after this one.`)
  }
  /** Who chats needs them from somebody; a miner can do without. */
  const fetchTokenizer = (model: StoredModel): void => {
    const missing = missingTokenizerFiles(model)
    if (missing.length === 0) return
    inBackground(
      async () => void (await (await open()).files(model, missing, { signal: closing.signal })),
      () => undefined,
    )
  }
  return {
    fetcher: open,
    async ensure(wish, signal) {
      if (!isAlone) await fetchShards(wish, signal)
      await disk.ensure(wish, signal)
      if (!isAlone) fetchTokenizer(wish.model)
    },
    repair: (root) =>
      inBackground(
        () => repairNow(root),
        (error) => print(`It could not be repaired: ${messageOf(error)} (${codeOf(error) ?? 'BUG'})`),
      ),
    async close() {
      closing.abort(new Error('the miner ends'))
      await Promise.all(background)
      await opened?.then((from) => from.close()).catch(() => undefined)
    },
  }
}

/** `Fetched 1.2 GiB from 4 peers; 0.3 GiB were here.` */
export function pulledText({ totalBytes, keptBytes, from, banned }: PulledFiles): string {
  const peers = from.size === 1 ? '1 peer' : `${from.size} peers`
  const kept = keptBytes === 0 ? '' : `; ${formatBytes(keptBytes)} were here`
  const bad =
    banned === 0
      ? ''
      : ` ${banned === 1 ? '1 peer' : `${banned} peers`} sent what was wrong, and nothing of it was kept.`
  return `Fetched ${formatBytes(totalBytes - keptBytes)} from ${peers}${kept}.${bad}`
}
