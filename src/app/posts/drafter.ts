/**
 * The small model with which a miner drafts: whole, in an engine beside those of its posts, for the posts that have the same tokens.
 * Spec: docs/spec/posts.md §1, docs/spec/wire.md §4.9.
 * @module
 */
import { UsageError } from '../base-command.ts'
import type { StoredModel } from '../model-store.ts'
import { TOKENIZER_FILE } from '../model-tokenizer.ts'
import type { DraftModel } from '../ring/draft-model.ts'
import { type NamedFetch, namedModels } from '../swarm/named-models.ts'
import type { ModelFiles } from './model-files.ts'
import type { Engines } from './open-engine.ts'
import type { PostToServe, PostWish } from './post.ts'

export type Drafter = Pick<PostToServe, 'model' | 'host'>

interface DrafterRun extends Pick<NamedFetch, 'home' | 'system' | 'signal'> {
  readonly flags: { readonly 'draft-model'?: string | undefined }
  readonly print: (line: string) => void
}

interface DrafterPlace extends Pick<NamedFetch, 'network'> {
  readonly posts: readonly PostWish[]
  readonly engines: Engines
  readonly files: ModelFiles
}

/**
 * The one that was asked for, fetched where it is not here, and loaded. @throws UsageError for one that has other tokens than all posts; PostError, EngineError,
 * ModelError, SwarmError.
 */
export async function findDrafter(run: DrafterRun, place: DrafterPlace): Promise<Drafter | undefined> {
  const { flags, signal, print } = run
  const name = flags['draft-model']
  if (name === undefined) return undefined
  const [model] = await namedModels([name], { ...run, network: place.network, note: print })
  if (!place.posts.some((post) => canDraftFor({ model: model! }, post))) {
    const text = `${name} cannot draft for what this miner serves: no ring begins with it, or it has another tokenizer. Serve segment 1 of a model with the same tokenizer.json.`
    throw new UsageError('USAGE', text)
  }
  const whole: PostWish = { model: model!, firstSegment: 0, lastSegment: model!.manifest.segments.length }
  await place.files.ensure(whole, signal)
  const engine = await place.engines.open(whole)
  // Its sessions are those of the posts, which come first.
  engine.setLeaving(true)
  print(`Drafts with ${model!.manifest.name}.`)
  return engine
}

/** Rings begin with the first segment, and the tokens are those of the same file. */
export function canDraftFor({ model }: Pick<Drafter, 'model'>, post: PostWish): boolean {
  const tokens = tokenizerOf(model)
  return post.firstSegment === 0 && tokens !== undefined && tokens === tokenizerOf(post.model)
}

export function draftModelOf({ model, host }: Drafter): DraftModel {
  return { host, contextLength: model.manifest.config.contextLength }
}

function tokenizerOf({ manifest }: StoredModel): string | undefined {
  return manifest.files.find(({ name }) => name === TOKENIZER_FILE)?.root
}
