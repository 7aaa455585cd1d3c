/**
 * What a miner says when it begins to serve. Spec: docs/spec/posts.md §1.
 * @module
 */
import { segmentText } from '../chat/trace.ts'
import { formatBytes } from '../table.ts'
import type { Post } from './post.ts'

/** Where people and programs are told. */
export interface Voice {
  readonly print: (line: string) => void
  readonly emit: (value: object) => void
}

export function announcePosts(posts: readonly Post[], addresses: readonly string[], { print, emit }: Voice): void {
  for (const post of posts) {
    const { stepMs, prefillMs } = speedOf(post)
    print(`Serving ${postText(post)} with ${post.device}.`)
    print(`One decode step takes ${stepMs} ms, one prompt token ${prefillMs} ms.`)
  }
  for (const address of addresses) print(`Listening on ${address}`)
  print('Ctrl-C ends it.')
  for (const { model, firstSegment, lastSegment, device, speed } of posts) {
    const part = { firstSegment, lastSegment }
    const rounded = speedOf({ speed })
    emit({ type: 'serving', model: model.manifest.name, hash: model.hash, ...part, device, ...rounded, addresses })
  }
}

/** `segments 1–4 of 6 of genesis (q8, 12 MiB)`. */
function postText({ model, firstSegment, lastSegment, host }: Post): string {
  const { name, format, segments } = model.manifest
  const noun = lastSegment - firstSegment === 1 ? 'segment' : 'segments'
  const which = `${noun} ${segmentText(firstSegment, lastSegment)} of ${segments.length}`
  return `${which} of ${name} (${format}, ${formatBytes(host.weightBytes)})`
}

function speedOf({ speed }: Pick<Post, 'speed'>): { readonly stepMs: number; readonly prefillMs: number } {
  return { stepMs: Number(speed.stepMs.toFixed(2)), prefillMs: Number(speed.prefillMs.toFixed(2)) }
}
