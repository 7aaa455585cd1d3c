/**
 * The three keys of an account, one for each job, so that a machine which runs unattended holds no money.
 * Spec: docs/spec/keys.md §3.
 * @module
 */

/** owner holds money, operator runs a machine, payout receives earnings. */
export type Role = 'owner' | 'operator' | 'payout'

/** In the order of their numbers in key paths. */
export const ROLES: readonly Role[] = ['owner', 'operator', 'payout']
