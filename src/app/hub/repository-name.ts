/**
 * What people type for a repository of models: `hf:owner/name`, with `@revision` for a branch, a tag or a commit.
 * Spec: docs/spec/model.md §11.
 * @module
 */
import { HubError } from './hub-error.ts'

export interface RepositoryName {
  /** `owner/name` */
  readonly id: string
  readonly owner: string
  readonly name: string
  readonly revision: string
}

const PREFIX = 'hf:'
const DEFAULT_REVISION = 'main'
/** Letters, digits, dots, dashes and underscores, as the hub has it. */
const PART = /^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$/
const REVISION = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$/

/** Whether a text names a repository without the prefix. It may be a folder as well. */
export function looksLikeRepository(text: string): boolean {
  const [owner, name, ...more] = (text.split('@')[0] ?? '').split('/')
  return more.length === 0 && PART.test(owner ?? '') && PART.test(name ?? '')
}

export function hasRepositoryPrefix(text: string): boolean {
  return text.startsWith(PREFIX)
}

/** Takes it with and without the prefix. Throws HUB_BAD_NAME. */
export function parseRepositoryName(text: string): RepositoryName {
  const [id = '', revision = DEFAULT_REVISION, ...more] = text.replace(/^hf:/, '').split('@')
  const [owner = '', name = '', ...parts] = id.split('/')
  const isName = [owner, name].every((part) => PART.test(part) && !part.includes('..') && !part.endsWith('.'))
  if (more.length > 0 || parts.length > 0 || !isName) {
    throw new HubError('HUB_BAD_NAME', 'A repository is named hf:OWNER/NAME or hf:OWNER/NAME@REVISION.')
  }
  if (!REVISION.test(revision) || revision.split('/').some((part) => part === '' || part.startsWith('.'))) {
    throw new HubError('HUB_BAD_NAME', 'A revision is a branch, a tag or a commit of the repository.')
  }
  return { id, owner, name, revision }
}
