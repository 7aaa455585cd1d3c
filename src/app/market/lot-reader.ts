/**
 * Reads the journal of a lot while its miner may be writing it; the journal itself is lot-journal.ts.
 * Spec: docs/spec/market.md §9.4.
 * @module
 */
import { join } from 'node:path'
import { decodeLotEntry, type LotEntry } from './lot-entry.ts'
import { lotFileName } from './lot-journal.ts'
import { recordsOf } from './record-reader.ts'

/** All entries that are on disk from the file `first` on, none where there is no journal. @throws StoreError, CodecError. */
export async function* lotEntries(folder: string, first = 0): AsyncGenerator<LotEntry, void, void> {
  for (let index = first; ; index++) {
    const records = recordsOf(join(folder, lotFileName(index)))
    try {
      let next = await records.next()
      for (; next.done !== true; next = await records.next()) yield decodeLotEntry(next.value)
      if (!next.value) return
    } finally {
      await records.return(true)
    }
  }
}
