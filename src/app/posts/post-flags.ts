/**
 * What `dllm mine` is to serve, from what people type: `--model NAME` with `--segments 2-4`, or several times `--model NAME:2-4`.
 * Spec: docs/spec/posts.md §1.
 * @module
 */
import { SESSION_LIMITS } from '../../base/limits.ts'
import { UsageError } from '../base-command.ts'
import type { ModelStore, StoredModel } from '../model-store.ts'
import type { PostWish, Run } from './post.ts'

export interface PostFlags {
  readonly model?: readonly string[] | undefined
  readonly segments?: string | undefined
}

/** Which models are named, without their segments. `usual`: the model of the settings. @throws UsageError. */
export function modelTexts(flags: PostFlags, usual: string): string[] {
  return textsOf(flags, usual).map((text) => text.split(':')[0]!)
}

/** Whether segments of the model of this number were named. */
export function namesSegments(flags: PostFlags, index: number): boolean {
  return flags.segments !== undefined || flags.model?.[index]?.includes(':') === true
}

/** `usual`: the model of the settings. @throws UsageError; ModelError for a model that is not here. */
export function parsePosts(flags: PostFlags, usual: string, store: Pick<ModelStore, 'find'>): PostWish[] {
  const wishes = textsOf(flags, usual).map((text) => parsePost(text, flags.segments, store))
  const twice = wishes.find(({ model }, index) => wishes.findIndex((other) => other.model.hash === model.hash) < index)
  if (twice !== undefined) {
    const { name } = twice.model.manifest
    throw new UsageError('USAGE', `A miner serves one run of segments of a model, and --model names ${name} twice.`)
  }
  return wishes
}

/** What can be told to be wrong before any model is looked for. */
function textsOf({ model, segments }: PostFlags, usual: string): readonly string[] {
  const texts = model ?? [usual]
  if (segments !== undefined && (texts.length > 1 || texts[0]!.includes(':'))) {
    throw new UsageError('USAGE', '--segments goes with one model. Of several, each has its own: --model NAME:2-4.')
  }
  if (texts.length > SESSION_LIMITS.postsMax) {
    throw new UsageError(
      'USAGE',
      `One miner serves ${SESSION_LIMITS.postsMax} models at most. Start another with --name.`,
    )
  }
  return texts
}

function parsePost(text: string, segments: string | undefined, store: Pick<ModelStore, 'find'>): PostWish {
  const at = text.indexOf(':')
  const model = store.find(at < 0 ? text : text.slice(0, at))
  return at < 0
    ? { model, ...parseRun(segments, model, '--segments') }
    : { model, ...parseRun(text.slice(at + 1), model, `--model ${model.manifest.name}:SEGMENTS`) }
}

/** `2-4` or `2`, counted from 1, both ends included; undefined: all. @throws UsageError. */
export function parseRun(text: string | undefined, model: StoredModel, flag: string): Run {
  const count = model.manifest.segments.length
  if (text === undefined) return { firstSegment: 0, lastSegment: count }
  const [, first, last = first] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(text) ?? []
  const run = { firstSegment: Number(first) - 1, lastSegment: Number(last) }
  const isInside = run.firstSegment >= 0 && run.firstSegment < run.lastSegment && run.lastSegment <= count
  if (first !== undefined && isInside) return run
  const name = model.manifest.name
  throw new UsageError(
    'USAGE',
    `${flag} takes a range such as 1-${count} (${name} has ${count} segments), not "${text}".`,
  )
}
