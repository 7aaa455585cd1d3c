/**
 * The duty that keeps a miner registered: with its peer's key, its payout account, and a deposit that is enough for its slots.
 * Spec: docs/spec/cli.md §10, docs/spec/transactions.md §11.
 * @module
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import type { AccountId } from '../../base/brand.ts'
import type { KeyPair } from '../../core/ed25519.ts'
import { addressOfAccount } from '../../core/fields.ts'
import type { NetworkKind } from '../../core/network-kind.ts'
import { provePeerKey } from '../../core/peer-key-proof.ts'
import { dllm } from '../../core/transaction/refusals.ts'
import type { HeadView } from '../chain/chain-access.ts'
import type { MinerView, ModelView } from '../chain/market-access.ts'
import type { ChainSender } from '../market/chain-sender.ts'
import { registerMinerCall } from './calls.ts'
import { type RegistrationStep, type RegistrationWish, registrationStep } from './deposit-rule.ts'
import type { Duty, MiningNotes } from './duty.ts'
import type { MiningMode } from './mode.ts'
import { isPlaceable, type MinedRun } from './placement.ts'
import type { OwnSurvey } from './survey.ts'

export interface RegistrationParts {
  readonly survey: OwnSurvey
  readonly sender: ChainSender
  readonly notes: MiningNotes
  /** Of the peer that serves. */
  readonly peer: KeyPair
  readonly payout: AccountId
  readonly kind: NetworkKind
  readonly network: string
  readonly wish: Pick<RegistrationWish, 'device' | 'deposit'>
  /** What is offered now; one at least. */
  readonly runs: () => readonly MinedRun[]
  /** As RegistrationFacts has it. */
  readonly placeDeposit: () => bigint | undefined
  readonly mode: () => MiningMode
}

export interface Registration {
  readonly duty: Duty
  /** Why no job can come, as a sentence; undefined when this keeps none away. */
  readonly hindrance: string | undefined
}

export function createRegistration(parts: RegistrationParts): Registration {
  const { survey, sender, notes, peer, payout, kind, mode } = parts
  const wanted: RegistrationWish = {
    ...parts.wish,
    ...{ payout: addressOfAccount(payout, kind), peerKey: bytesToHex(peer.publicKey), tops: true },
  }
  let hindrance: string | undefined
  let told: string | undefined
  let depositSeen: bigint | undefined
  let isLowered = false
  /** The chain has had our peer key since the start. */
  let wasOurs = false

  /** Nothing else than an audit takes from a deposit while the miner is in the market. */
  const watchDeposit = ({ deposit }: MinerView): void => {
    const now = BigInt(deposit)
    if (depositSeen !== undefined && now < depositSeen && mode() !== 'drain') {
      isLowered = true
      const lost = dllm(depositSeen - now)
      const text = `Audits took ${lost} of the deposit: a lot of this miner was found at fault, or its word as an auditor. Look at what computes here before you go on; nothing is added to the deposit until the next start.`
      notes.say({ type: 'audited', text, details: { lost: String(depositSeen - now) } })
    }
    depositSeen = now
  }
  const tellHindrance = (text: string | undefined): void => {
    hindrance = text
    if (text !== undefined && text !== told) notes.say({ type: 'state', text })
    told = text
  }
  const register = async (
    { deposit, why }: RegistrationStep & { type: 'register' },
    head: HeadView,
    signal: AbortSignal,
  ): Promise<void> => {
    const claim = provePeerKey({ networkId: head.networkId, operator: sender.id }, peer)
    await sender.send(registerMinerCall({ payout, device: wanted.device, deposit, ...claim }), signal)
    survey.forget()
    depositSeen = undefined
    tellHindrance(undefined)
    notes.say({
      type: 'state',
      text: REGISTERED[why](dllm(deposit), wanted.payout),
      details: { deposit: String(deposit) },
    })
  }

  return {
    get hindrance() {
      return hindrance
    },
    duty: {
      name: 'registration',
      async look(head, signal) {
        const sight = await survey.at(head, signal)
        const { miner } = sight
        if (miner !== undefined) watchDeposit(miner)
        else depositSeen = undefined
        if (mode() === 'drain') return
        if (wasOurs && miner !== undefined && miner.peerKey !== wanted.peerKey) return tellHindrance(TAKEN)
        wasOurs = miner?.peerKey === wanted.peerKey
        const wishes = parts.runs()
        // Between two models.
        if (wishes.length === 0) return tellHindrance(undefined)
        const models = await Promise.all(
          wishes.map(async (run) => ({ ...run, model: (await survey.of(run.model).at(head, signal)).model })),
        )
        const runs = models.filter(isOffered)
        if (runs.length === 0) return tellHindrance(modelHindrance(models[0]?.model))
        const facts = { ...sight, miner, runs, placeDeposit: parts.placeDeposit(), baseFee: BigInt(sight.head.baseFee) }
        const step = registrationStep({ ...wanted, tops: !isLowered }, facts)
        if (step.type === 'register') return register(step, head, signal)
        const address = addressOfAccount(sender.id, kind)
        tellHindrance(hindranceOf(step, { address, network: parts.network }))
      },
    },
  }
}

function isOffered<Run extends { readonly model: ModelView | undefined }>(
  run: Run,
): run is Run & { readonly model: ModelView } {
  return run.model !== undefined && isPlaceable(run.model)
}

const REGISTERED: Readonly<
  Record<(RegistrationStep & { type: 'register' })['why'], (deposit: string, payout: string) => string>
> = {
  new: (deposit, payout) => `Registered as a miner with a deposit of ${deposit}. Pay goes to ${payout}.`,
  changed: (_deposit, payout) => `Registered again with this peer and payout account. Pay goes to ${payout}.`,
  place: (deposit) => `Added ${deposit} to the deposit, so that it is enough for a place.`,
  'top-up': (deposit) => `Added ${deposit} to the deposit, so that it is enough for the next job.`,
}

const TAKEN =
  'Another program has registered this account with its own peer since this one started. Give each miner an account of its own, with --account.'

const FOR: Readonly<Record<'deposit' | 'job' | 'fees', string>> = {
  deposit: 'the deposit of a miner',
  job: 'the deposit behind the next job',
  fees: 'the fees of claims and renewals',
}

function hindranceOf(
  step: Exclude<RegistrationStep, { type: 'register' }>,
  { address, network }: { readonly address: string; readonly network: string },
): string | undefined {
  switch (step.type) {
    case 'done':
      return undefined
    case 'short':
      return `The operator account has too little for ${FOR[step.for]}: send ${dllm(step.missing)} to ${address} (\`dllm wallet send ${dllm(step.missing).split(' ')[0]} ${address} --network ${network}\`).`
    case 'below-least':
      return `--deposit is below the least deposit of a miner, ${dllm(step.least)}. Start again with that much, or leave it out.`
    case 'capped':
      return `A job has at least ${dllm(step.task)} of the deposit behind it at the price of now, and less is there or allowed. Start again with a greater --deposit.`
    case 'slashed-out':
      return 'This account was slashed out: audits found it at fault until its deposit was too small. Mine with another account and another --name.'
  }
}

/** Why nobody can be placed on a model. */
function modelHindrance(model: ModelView | undefined): string {
  if (model === undefined) {
    return 'This model is not registered on this network, so nobody can pay for it. `dllm chain models` lists those that are.'
  }
  return model.status === 'published'
    ? 'This model waits for a vote on this network: nobody serves it before it is approved.'
    : 'This model is retired on this network: nobody can open a lease for it any more.'
}
