/**
 * The three families of networks. A network that somebody creates belongs to one of them, and so do its addresses.
 * Spec: docs/spec/keys.md §4.
 * @module
 */

export type NetworkKind = 'mainnet' | 'testnet' | 'local'

export const NETWORK_KINDS: readonly NetworkKind[] = ['mainnet', 'testnet', 'local']
