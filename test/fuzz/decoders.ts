/**
 * Every decoder of what comes from a peer, a file or a user: the table of the fuzz tests. A new decoder is one row more; the
 * functions that need none stand in exceptions.ts. `scripts/fuzz.ts` runs the table without end.
 * @module
 */
import type { Decoder } from './decoder.ts'
import { AUDIT_ROWS } from './rows-audit.ts'
import { AUDITOR_ROWS } from './rows-auditors.ts'
import { BLOCK_ROWS } from './rows-block.ts'
import { CANARY_ROWS } from './rows-canary.ts'
import { CONSENSUS_ROWS } from './rows-consensus.ts'
import { CONTRACT_ROWS } from './rows-contract.ts'
import { CONTROL_ROWS } from './rows-control.ts'
import { FILE_ROWS } from './rows-files.ts'
import { LEASE_ROWS } from './rows-lease.ts'
import { LOT_ROWS } from './rows-lots.ts'
import { MARKET_ROWS } from './rows-market.ts'
import { MODEL_ROWS } from './rows-models.ts'
import { PEER_ROWS } from './rows-peers.ts'
import { RECORD_ROWS } from './rows-records.ts'
import { SHARD_ROWS } from './rows-shards.ts'
import { SOURCE_ROWS } from './rows-sources.ts'
import { TEXT_ROWS } from './rows-text.ts'

export const DECODERS: readonly Decoder[] = [
  ...BLOCK_ROWS,
  ...CONTRACT_ROWS,
  ...MARKET_ROWS,
  ...LEASE_ROWS,
  ...LOT_ROWS,
  ...AUDIT_ROWS,
  ...AUDITOR_ROWS,
  ...CONSENSUS_ROWS,
  ...PEER_ROWS,
  ...MODEL_ROWS,
  ...CANARY_ROWS,
  ...SHARD_ROWS,
  ...SOURCE_ROWS,
  ...FILE_ROWS,
  ...RECORD_ROWS,
  ...TEXT_ROWS,
  ...CONTROL_ROWS,
]
