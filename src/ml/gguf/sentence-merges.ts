/**
 * Merges of a SentencePiece BPE vocabulary, which has scores instead: two neighbours become the token that they spell, the one with
 * the highest score first. Spec: docs/spec/model.md §10.
 * @module
 */

interface Scored {
  readonly text: string
  readonly score: number
}

/** Pairs in the order in which they are merged; of pairs that make the same token, those with the longer left side first. */
export function mergesByScore(tokens: readonly Scored[]): [left: string, right: string][] {
  const known = new Set(tokens.map(({ text }) => text))
  return [...tokens].sort((a, b) => b.score - a.score).flatMap(({ text }) => splits(text, known))
}

function splits(text: string, known: ReadonlySet<string>): [string, string][] {
  const found: [string, string][] = []
  for (let at = text.length - 1; at > 0; at--) {
    const left = text.slice(0, at)
    const right = text.slice(at)
    if (known.has(left) && known.has(right)) found.push([left, right])
  }
  return found
}
