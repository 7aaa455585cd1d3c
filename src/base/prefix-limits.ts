/**
 * Bounds on what a stage remembers of sessions, each with its reason. Beyond them it computes again.
 * @module
 */

const MIB = 1024 * 1024

export const PREFIX_LIMITS = {
  /** Caches of sessions that ended, of one miner: a quarter of its sessions. They take of the same memory, and go first. */
  parkedMax: 16,
  /** Of them, those of one client: so many conversations at once. */
  parkedPerClientMax: 4,
  /** As long as a silent session: who comes back later reads the prompt again. */
  parkedMsMax: 10 * 60_000,
  /** Fewer rows are computed in one pass of the engine anyway. */
  parkedRowsMin: 16,
  /** What went out, of all sessions of one miner: 8,192 rows of hidden 4,096. */
  outputBytesMax: 128 * MIB,
  /** Rows of a session that are computed and not yet written down: at most 512 KiB of hidden 4,096, with what came out. */
  unwrittenRowsMax: 16,
  /** What was recalled and goes out to the next stage for those who pay nothing, all together: a quarter of a line of a gigabit. */
  unpaidBytesPerSecond: 32 * MIB,
  /** Of it, without waiting: all that is remembered, once. */
  unpaidBytesAtOnce: 128 * MIB,
} as const
