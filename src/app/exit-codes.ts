/**
 * The one table from failures to exit codes: 0 ok, 1 failure, 2 usage, 3 no node, 4 auth, 5 insufficient funds,
 * 130 interrupted. A code that is not listed means 1. Spec: docs/spec/cli.md §2.
 * @module
 */

export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  noNode: 3,
  auth: 4,
  insufficientFunds: 5,
  interrupted: 130,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** Codes of HouseErrors whose exit code is not 1. A new one is one line here. */
const EXIT_BY_CODE: ReadonlyMap<string, ExitCode> = new Map([
  ['USAGE', EXIT.usage],
  ['CONFIG_UNKNOWN_KEY', EXIT.usage],
  ['CONFIG_BAD_VALUE', EXIT.usage],
  ['NETWORK_UNKNOWN', EXIT.usage],
  ['WALLET_BAD_NAME', EXIT.usage],
  ['PROMPT_NO_TERMINAL', EXIT.usage],
  ['PROMPT_NO_ANSWER', EXIT.usage],
  ['NO_NODE', EXIT.noNode],
  ['NODE_NOT_RUNNING', EXIT.noNode],
  ['NODE_STALE', EXIT.noNode],
  ['CONTROL_UNREACHABLE', EXIT.noNode],
  ['CONTROL_TIMEOUT', EXIT.noNode],
  ['CONTROL_STOPPING', EXIT.noNode],
  ['RING_NO_ROUTE', EXIT.noNode],
  ['DEVNET_NOT_RUNNING', EXIT.noNode],
  ['DASHBOARD_NOTHING_RUNS', EXIT.noNode],
  ['SAMPLING_OUT_OF_RANGE', EXIT.usage],
  ['DEVNET_TOO_MANY_MINERS', EXIT.usage],
  ['AMOUNT_BAD', EXIT.usage],
  ['AMOUNT_TOO_PRECISE', EXIT.usage],
  ['AMOUNT_TOO_LARGE', EXIT.usage],
  ['ADDRESS_WRONG_NETWORK', EXIT.usage],
  ['ADDRESS_UNKNOWN_PREFIX', EXIT.usage],
  ['ADDRESS_BAD_CHARACTER', EXIT.usage],
  ['ADDRESS_BAD_CHECKSUM', EXIT.usage],
  ['BLOCK_NAME_BAD', EXIT.usage],
  ['TRANSACTION_ID_BAD', EXIT.usage],
  ['LEASE_ID_BAD', EXIT.usage],
  ['CUTS_BAD', EXIT.usage],
  ['DATE_BAD', EXIT.usage],
  ['MEMO_TOO_LONG', EXIT.usage],
  ['PROPOSAL_NUMBER_BAD', EXIT.usage],
  ['PARAMETER_UNKNOWN', EXIT.usage],
  ['PARAMETER_CHANGE_BAD', EXIT.usage],
  ['VALIDATOR_NAME_BAD', EXIT.usage],
  ['MINER_UNKNOWN', EXIT.usage],
  ['MINING_NODE_FAILED', EXIT.noNode],
  ['NETWORK_NO_CHAIN', EXIT.noNode],
  ['LIGHT_NO_PEER', EXIT.noNode],
  ['PARAM_UNKNOWN', EXIT.usage],
  ['PARAM_BAD', EXIT.usage],
  ['PARAM_MISSING', EXIT.usage],
  ['SWARM_NO_PEER', EXIT.noNode],
  ['SWARM_AMBIGUOUS_MODEL', EXIT.usage],
  ['HUB_BAD_NAME', EXIT.usage],
  ['GPU_OUT_OF_RANGE', EXIT.usage],
  ['HUB_FORBIDDEN', EXIT.auth],
  ['KEYSTORE_WRONG_PASSWORD', EXIT.auth],
  ['NODE_COOKIE_UNREADABLE', EXIT.auth],
  ['CONTROL_UNAUTHORIZED', EXIT.auth],
  ['INSUFFICIENT_FUNDS', EXIT.insufficientFunds],
  ['MEMPOOL_UNPAYABLE', EXIT.insufficientFunds],
  ['LEASE_REQUIRED', EXIT.insufficientFunds],
  ['LEASE_SPENT', EXIT.insufficientFunds],
  ['CHAT_NO_LEASE', EXIT.usage],
  ['INTERRUPTED', EXIT.interrupted],
])

/** Exit code of an error code. */
export function exitCodeOf(code: string): ExitCode {
  return EXIT_BY_CODE.get(code) ?? EXIT.failure
}
