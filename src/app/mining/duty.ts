/**
 * What a miner does for the chain beside serving: duties, each of which looks at every new block and does what is due, and the notes in which
 * they say why something happened or did not.
 * Spec: docs/spec/cli.md §10.
 * @module
 */
import type { HeadView } from '../chain/chain-access.ts'

export interface Duty {
  /** For the log: a word or two. */
  readonly name: string
  /** One look at a time. What it throws goes to the log, and it looks again at the next block. */
  look(head: HeadView, signal: AbortSignal): Promise<void>
}

/** Something that a person who mines wants to know; `text` is a sentence, `details` what a program reads. */
export interface MiningEvent {
  readonly type: MiningEventType
  readonly text: string
  readonly details?: Readonly<Record<string, string | number>>
}

export type MiningEventType =
  /** Registration, placements, modes. */
  | 'state'
  /** A lease has a lot of ours; it went to others; a session was refused; work was not paid. */
  | 'job-won'
  | 'job-lost'
  | 'job-refused'
  | 'job-unpaid'
  | 'claimed'
  | 'paid'
  /** Audits of ours, and what we audited. */
  | 'audited'
  | 'audit-duty'
  /** A minute without work. */
  | 'idle'
  | 'problem'

export interface MiningNotes {
  say(event: MiningEvent): void
}
