/**
 * The vectors of the state tree, made by the reference. To write them anew:
 * `node test/unit/core/state/tree-vectors.ts > test/vectors/state-tree.json`.
 * @module
 */
import {
  type ReferenceEntry,
  referencePart,
  referencePath,
  referenceProof,
  referenceRoot,
  tagged,
} from './tree-reference.ts'

/** Keys of two kinds, values of 0 to 34 bytes. */
function entriesOf(count: number): ReferenceEntry[] {
  return Array.from({ length: count }, (_, index) => ({
    key: Buffer.concat([Buffer.from([1 + (index % 2)]), Buffer.from(`key ${index}`)]),
    value: Buffer.from('0123456789abcdefghijklmnopqrstuvwxyz'.slice(0, (index * 7) % 35)),
  }))
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function treeOf(name: string, entries: ReferenceEntry[], keys: string[]): object {
  return {
    name,
    entries: entries.map(({ key, value }) => ({ key: hex(key), value: hex(value) })),
    root: hex(referenceRoot(entries)),
    proofs: keys.map((key) => ({ key, proof: hex(referenceProof(entries, Buffer.from(key, 'hex'))) })),
    parts: [
      [0, 0],
      [2, 0],
      [2, 3],
      [5, 19],
    ].map(([depthBits, index]) => ({ depthBits, index, part: hex(referencePart(entries, depthBits!, index!)) })),
  }
}

export function stateTreeVectors(): object {
  const key = Buffer.from('016b65792030', 'hex')
  const keys = ['016b65792030', '026b65792031', '', '016b657920313030', '03']
  return {
    source: 'docs/spec/state.md; made by test/unit/core/state/tree-vectors.ts without code of src/',
    hashes: {
      empty: hex(tagged('dllm/state/empty')),
      path: { key: hex(key), hash: hex(referencePath(key)) },
      value: { value: '6d6f6e6579', hash: hex(tagged('dllm/state/value', Buffer.from('money'))) },
    },
    trees: [
      treeOf('no entry', [], keys),
      treeOf('one entry', entriesOf(1), keys),
      treeOf('two entries', entriesOf(2), keys),
      treeOf('an empty key', [{ key: new Uint8Array(), value: Buffer.from('empty key') }], keys),
      treeOf('forty entries', entriesOf(40), keys),
    ],
  }
}

if (import.meta.main) process.stdout.write(`${JSON.stringify(stateTreeVectors(), null, 1)}\n`)
