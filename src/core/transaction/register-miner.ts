/**
 * Register-miner: the sender's account becomes an operator with a deposit and a peer that serves for it; later calls change what it
 * said and add to the deposit. Spec: docs/spec/transactions.md §11.
 * @module
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import type { AccountId } from '../../base/brand.ts'
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from '../ed25519.ts'
import { readAccount, writeAccount } from '../fields.ts'
import { hasPeerKeyProof, type PeerKeyClaim } from '../peer-key-proof.ts'
import {
  type Device,
  deviceNumber,
  getMiner,
  hasPeerKey,
  newMiner,
  operatorOfPeerKey,
  putMiner,
  readDevice,
} from '../state/miners.ts'
import { move } from '../state/money.ts'
import type { Contract } from './contract.ts'
import { TransactionError } from './contract.ts'
import { dllm, requireFunds } from './refusals.ts'

export interface RegisterMiner extends PeerKeyClaim {
  /** Where the pay goes. */
  readonly payout: AccountId
  readonly device: Device
  /** Grains to add to the deposit. */
  readonly deposit: bigint
}

export const registerMiner: Contract<RegisterMiner> = {
  type: 10,
  name: 'register-miner',
  read: (reader) => ({
    payout: readAccount(reader),
    peerKey: reader.raw(PUBLIC_KEY_BYTES),
    device: readDevice(reader),
    deposit: reader.u64(),
    proof: reader.raw(SIGNATURE_BYTES),
  }),
  write(writer, { payout, peerKey, device, deposit, proof }) {
    writeAccount(writer, payout).raw(peerKey).u8(deviceNumber(device)).u64(deposit).raw(proof)
  },
  units: () => 200,
  validate(call, state, { parameters: { minerDepositMin } }) {
    const { sender, body } = call
    const before = getMiner(state, sender)
    if (before?.status === 'slashed-out') {
      const sentence = 'This account was slashed out and mines no more. Register another account with another peer.'
      throw new TransactionError('MINER_SLASHED_OUT', sentence)
    }
    const owner = operatorOfPeerKey(state, body.peerKey)
    if (owner !== undefined && owner !== sender) {
      const sentence = 'The peer of this key serves another account. Use another peer, or register with that account.'
      throw new TransactionError('PEER_KEY_USED', sentence)
    }
    if (before !== undefined && before.openLots > 0 && !hasPeerKey(before, body.peerKey)) {
      const sentence = `The peer key cannot change while ${before.openLots} lots are open. Drain the miner first.`
      throw new TransactionError('PEER_KEY_CHANGED', sentence)
    }
    const deposit = (before?.deposit ?? 0n) + body.deposit
    if (deposit < minerDepositMin) {
      const sentence = `The deposit would be ${dllm(deposit)}, less than the ${dllm(minerDepositMin)} that a miner has at least. Deposit more.`
      throw new TransactionError('DEPOSIT_TOO_SMALL', sentence)
    }
    requireFunds(call, body.deposit)
  },
  prove({ sender, body }, { networkId, accepts }) {
    if (hasPeerKeyProof({ networkId, operator: sender }, body, accepts)) return
    const sentence = 'The proof of the peer key is not valid for this account and network. Make it again.'
    throw new TransactionError('BAD_PEER_PROOF', sentence)
  },
  apply({ sender, body: { payout, peerKey, device, deposit } }, state, { height }) {
    const own = { payout, peerKey, device }
    const before = getMiner(state, sender) ?? newMiner(own, height)
    putMiner(state, sender, { ...before, ...own, status: 'active' })
    move(state, {
      amount: deposit,
      from: { type: 'account', id: sender },
      to: { type: 'collateral', operator: sender },
    })
  },
  describe: ({ payout, peerKey, device, deposit }) => ({
    ...{ payout, peerKey: bytesToHex(peerKey), device },
    deposit: String(deposit),
  }),
  touches: ({ payout }) => [payout],
}
