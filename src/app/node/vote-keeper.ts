/**
 * What a validator keeps so that no crash makes it vote twice or against its lock: the sign state, the newest vote with
 * the lock, and the journal of the height. Decides nothing. Spec: docs/spec/store.md §8.
 * @module
 */
import { CHAIN_LIMITS } from '../../base/chain-limits.ts'
import type { Recovered, SignRecord } from '../../core/consensus/replica-port.ts'
import {
  comparePositions,
  type SignIdentity,
  type SignPosition,
  type SignState,
  SignStateError,
} from '../../core/consensus/sign-guard.ts'
import { decodeVoteRecord, encodeVoteRecord } from '../../core/consensus/vote-record.ts'
import type { Disk } from '../store/disk.ts'
import { openJournal } from '../store/journal.ts'
import { createSignState, openSignState, type SignStateFile } from '../store/sign-state.ts'

export interface VoteKeeper {
  readonly recovered: Recovered
  /** Bytes of an unfinished end of the journal that were cut off. */
  readonly droppedBytes: number
  journal(entry: Uint8Array, options: { readonly sync: boolean }): Promise<void>
  /** On disk when it resolves. @throws SignStateError DOUBLE_SIGN_REFUSED: the node must not go on. */
  record(record: SignRecord): Promise<void>
  /** A block is final: the journal of its height is done with. */
  finalized(): Promise<void>
  close(): Promise<void>
}

const JOURNAL = 'journal'
const VOTE = 'vote'

/**
 * `identity`: of the key that votes; undefined for a node that only follows, which keeps nothing. `isNewKey`: the key never signed
 * anything, so the sign state may be created. @throws SignStateError, JournalError, StoreError.
 */
export async function openVoteKeeper(
  disk: Disk,
  identity: SignIdentity | undefined,
  { isNewKey }: { readonly isNewKey: boolean },
): Promise<VoteKeeper> {
  if (identity === undefined) return idleKeeper(disk)
  const signState = await openState(disk, identity, isNewKey)
  const journal = await openJournal(disk, JOURNAL)
  const record = await readVote(disk, signState.state())
  if (record !== undefined) await catchUp(signState, record)
  return {
    recovered: { record, floor: floorOf(signState.state(), record), journal: journal.records },
    droppedBytes: journal.droppedBytes,
    journal: (entry, options) => journal.append(entry, options),
    async record(record) {
      // The lock first: a crash in between leaves a lock that is too new, which binds to nothing that was not so.
      await disk.replace(VOTE, encodeVoteRecord(record))
      await signState.sign(record.request, () => record.signature)
    },
    finalized: () => journal.reset(),
    close: () => disk.close(),
  }
}

/** A crash came between the two files: what is signed stands in the sign state before it is said again. */
async function catchUp(signState: SignStateFile, { request, signature }: SignRecord): Promise<void> {
  const { last } = signState.state()
  if (last !== undefined && comparePositions(request, last) <= 0) return
  await signState.sign(request, () => signature)
}

/** The newest vote, which is written before the sign state is. @throws SignStateError SIGN_STATE_DAMAGED. */
async function readVote(disk: Disk, { last }: SignState): Promise<SignRecord | undefined> {
  const kept = await disk.read(VOTE)
  if (kept !== undefined) return decodeVoteRecord(kept)
  if (last?.signed === undefined) return undefined
  const message =
    'The file with the newest vote of this validator is missing, so nobody knows which block it is bound to. Restore the folder from a backup taken after it last voted, or register a new consensus key.'
  throw new SignStateError('SIGN_STATE_DAMAGED', message)
}

/**
 * What the key signs nothing before. A position without a vote that goes with it was imported, and nobody here knows the lock:
 * then nothing more is signed at that height.
 */
function floorOf({ last }: SignState, record: SignRecord | undefined): SignPosition | undefined {
  if (last === undefined) return undefined
  const isKnown = record !== undefined && comparePositions(record.request, last) >= 0
  return isKnown ? last : { height: last.height, round: CHAIN_LIMITS.roundMax, step: 'precommit' }
}

/** A key that is new to this folder gets its file; afterwards a missing file is a fault. */
async function openState(disk: Disk, identity: SignIdentity, isNewKey: boolean): Promise<SignStateFile> {
  return isNewKey ? createSignState(disk, identity) : openSignState(disk, identity)
}

function idleKeeper(disk: Disk): VoteKeeper {
  return {
    recovered: { journal: [] },
    droppedBytes: 0,
    journal: async () => undefined,
    record: async () => undefined,
    finalized: async () => undefined,
    close: () => disk.close(),
  }
}
