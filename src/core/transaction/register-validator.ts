/**
 * Register-validator: the sender's account becomes a validator, with two keys that it proves to have. It votes when enough is
 * bonded to it. Spec: docs/spec/transactions.md §5.
 * @module
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import { CHAIN_LIMITS } from '../../base/chain-limits.ts'
import { BLS_SIGNATURE_BYTES } from '../bls.ts'
import { SEED_KEY_BYTES } from '../consensus/validator-set.ts'
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from '../ed25519.ts'
import { ownerOfConsensusKey, putConsensusKey } from '../state/consensus-keys.ts'
import { getValidator, putValidator } from '../state/validators.ts'
import { hasConsensusProof, hasSeedProof, type ValidatorKeys, type ValidatorProofs } from '../validator-proofs.ts'
import type { Contract } from './contract.ts'
import { TransactionError } from './contract.ts'

export interface RegisterValidator extends ValidatorKeys, ValidatorProofs {
  readonly name: string
}

/** Printable ASCII without a space at either end: Unicode's classes change from year to year, and a chain may not. */
const NAME = /^[!-~](?:[ -~]*[!-~])?$/

/** What is wrong with a validator's name, as a sentence; undefined when nothing is. */
export function validatorNameFault(name: string): string | undefined {
  if (NAME.test(name) && name.length <= CHAIN_LIMITS.validatorNameBytesMax) return undefined
  return `A validator's name has 1 to ${CHAIN_LIMITS.validatorNameBytesMax} letters, digits, signs or inner spaces of ASCII.`
}

export const registerValidator: Contract<RegisterValidator> = {
  type: 4,
  name: 'register-validator',
  read: (reader) => ({
    consensusKey: reader.raw(PUBLIC_KEY_BYTES),
    seedKey: reader.raw(SEED_KEY_BYTES),
    seedProof: reader.raw(BLS_SIGNATURE_BYTES),
    consensusProof: reader.raw(SIGNATURE_BYTES),
    name: reader.text(CHAIN_LIMITS.validatorNameBytesMax),
  }),
  write(writer, { consensusKey, seedKey, seedProof, consensusProof, name }) {
    writer.raw(consensusKey).raw(seedKey).raw(seedProof).raw(consensusProof).text(name)
  },
  // A pairing takes as long as some hundred signatures.
  units: () => 2_000,
  inspect({ name }) {
    const fault = validatorNameFault(name)
    if (fault !== undefined) throw new TransactionError('BAD_NAME', fault)
  },
  validate({ sender, body }, state) {
    if (getValidator(state, sender) !== undefined) {
      const sentence = 'This account is a validator already, with keys that stay. Register another account.'
      throw new TransactionError('ALREADY_A_VALIDATOR', sentence)
    }
    if (ownerOfConsensusKey(state, body.consensusKey) !== undefined) {
      const sentence = 'This consensus key belongs to another validator. Make a new operator key.'
      throw new TransactionError('CONSENSUS_KEY_USED', sentence)
    }
  },
  prove({ sender, body }, { networkId, accepts }) {
    const subject = { networkId, owner: sender }
    if (!hasConsensusProof(subject, body, accepts)) {
      const sentence = 'The proof of the consensus key is not valid for this account and network. Make it again.'
      throw new TransactionError('BAD_CONSENSUS_PROOF', sentence)
    }
    if (!hasSeedProof(subject, body)) {
      const sentence = 'The proof of the seed key is not valid for this account and network. Make it again.'
      throw new TransactionError('BAD_SEED_PROOF', sentence)
    }
  },
  apply({ sender, body: { consensusKey, seedKey, name } }, state, { height }) {
    putConsensusKey(state, consensusKey, sender)
    putValidator(state, sender, {
      ...{ consensusKey, seedKey, name, stake: 0n, bonds: 0, signedBlocks: 0 },
      status: 'active',
      registeredHeight: height,
    })
  },
  describe: ({ consensusKey, seedKey, name }) => ({
    name,
    consensusKey: bytesToHex(consensusKey),
    seedKey: bytesToHex(seedKey),
  }),
  touches: () => [],
}
