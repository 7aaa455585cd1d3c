/**
 * Which model of the chain somebody means: names there are their publishers', and several may have one, so a model is named by its hash, or
 * by the name that it has on this machine. Spec: docs/spec/cli.md §5.
 * @module
 */
import { type Hash, hash } from '../../base/brand.ts'
import type { Home } from '../home.ts'
import { openModelStore } from '../model-store.ts'

/** @throws ModelError MODEL_NOT_FOUND, MODEL_BAD_NAME, MODEL_BAD_MANIFEST. */
export function modelHashOf(home: Home, text: string): Hash {
  const lower = text.toLowerCase()
  return /^[0-9a-f]{64}$/.test(lower) ? hash(lower) : openModelStore({ home: home.path }).find(text).hash
}
