/**
 * What will be asked for and takes long, begun before: seed signatures elsewhere than on this thread, our own when we propose next and
 * those of proposals before the replica gets them; and in turns, whether a proposed block is whole. Spec: docs/spec/consensus.md §9.
 * @module
 */
import { decodeBlock, type Header } from '../../core/block/block.ts'
import { seedInput } from '../../core/block/seed.ts'
import type { Chain } from '../../core/chain.ts'
import type { LedgerWork } from '../../core/consensus/ledger.ts'
import { type Proposal, proposalDigest } from '../../core/consensus/messages.ts'
import { equalBytes } from '../../core/consensus/sign-guard.ts'
import { type FastAcceptance, verify } from '../../core/ed25519.ts'
import type { Turns } from '../turns.ts'
import type { SeedScheme } from './node.ts'
import type { ValidatorKeys } from './validator-keys.ts'

export interface Foresight {
  readonly chain: Chain
  readonly turns: Turns
  readonly seedScheme?: SeedScheme | undefined
  readonly accepts?: FastAcceptance | undefined
}

export interface OwnForesight extends Omit<Foresight, 'turns'> {
  readonly keys: ValidatorKeys | undefined
}

/** The seed of the next height is known now; the proposal is due after a pause. Resolves when it is signed, if it is ours to sign. */
export async function foresign({ chain, seedScheme, keys }: OwnForesight, proposalRound = 0): Promise<void> {
  const { networkId, height, seed, set } = chain.place()
  const proposer = set.members[chain.proposer(proposalRound)]
  if (keys === undefined || proposer === undefined) return
  if (!equalBytes(proposer.consensusKey, keys.consensus.publicKey)) return
  await seedScheme?.foresign?.(seedInput(networkId, height, seed), keys)
}

/** What the ledger's work will ask of the seed, whether or not it was begun before. */
export async function foreseeWork(foresight: OwnForesight, work: LedgerWork): Promise<void> {
  if (work.type === 'propose') await foresign(foresight, work.request.round)
  else if (work.block.header.height === foresight.chain.place().height) await foreseeSeed(foresight, work.block.header)
}

/** Checks the seed signature and the body of a proposal before the replica asks. @throws CodecError. */
export async function foresee(foresight: Foresight, proposal: Proposal): Promise<void> {
  const { chain, turns, accepts } = foresight
  const { networkId, height, set, proposerOf } = chain.place()
  const speaker = set.members[proposerOf(proposal.round)]
  if (proposal.height !== height || speaker === undefined) return
  const { signature } = proposal
  const signed = { signature, message: proposalDigest(networkId, proposal), publicKey: speaker.consensusKey }
  // Strangers must not keep us busy.
  if (!verify(signed, accepts)) return
  const block = decodeBlock(proposal.block)
  await Promise.all([foreseeSeed(foresight, block.header), turns.run(chain.prepare({ type: 'read', block }))])
}

async function foreseeSeed({ chain, seedScheme }: Omit<Foresight, 'turns'>, header: Header): Promise<void> {
  const { networkId, height, seed, set, proposerOf } = chain.place()
  const publicKey = set.members[proposerOf(header.round)]?.seedKey
  if (publicKey === undefined) return
  const message = seedInput(networkId, height, seed)
  await seedScheme?.foresee?.({ signature: header.seedSignature, message, publicKey })
}
