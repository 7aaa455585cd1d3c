/**
 * Signatures that were accepted a short while ago are not checked again: a vote comes once by itself and once more in the commit
 * that the next block carries. Only acceptance is remembered, by all bytes that it depends on. Spec: docs/spec/keys.md §2.
 * @module
 */
import type { FastAcceptance } from '../core/ed25519.ts'

/** Votes of a hundred validators for forty rounds, or four seconds of two thousand transfers; some 2 MiB. */
const KNOWN_MAX = 8_192

/** `accepts`, which is asked once for the same bytes while they are remembered. */
export function rememberAccepted(accepts: FastAcceptance, knownMax: number = KNOWN_MAX): FastAcceptance {
  const known = new Set<string>()
  return (signed) => {
    const name = nameOf(signed)
    if (known.has(name)) return true
    if (!accepts(signed)) return false
    known.add(name)
    const [oldest] = known
    if (known.size > knownMax && oldest !== undefined) known.delete(oldest)
    return true
  }
}

/** Key and signature have fixed lengths (core/ed25519.ts looks at them first), so that no two triples share a name. */
function nameOf({ publicKey, signature, message }: Parameters<FastAcceptance>[0]): string {
  return Buffer.concat([publicKey, signature, message]).toString('latin1')
}
