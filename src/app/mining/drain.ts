/**
 * The duty that ends a miner that was told to drain: when no job of it is open or waits to be settled, and its audited work is paid, its deposit
 * returns to the operator's account, and the next start begins anew. Spec: docs/spec/cli.md §10.
 * @module
 */
import { dllm } from '../../core/transaction/refusals.ts'
import type { MinerView } from '../chain/market-access.ts'
import { count } from '../chain/text-parts.ts'
import type { ChainSender } from '../market/chain-sender.ts'
import { withdrawCall } from './calls.ts'
import type { Duty, MiningNotes } from './duty.ts'
import { type MiningMode, writeMode } from './mode.ts'
import type { OwnSurvey } from './survey.ts'

export interface DrainParts {
  readonly survey: Pick<OwnSurvey, 'at' | 'forget'>
  readonly sender: ChainSender
  readonly notes: MiningNotes
  readonly mode: () => MiningMode
  /** `mining/NAME/`. */
  readonly folder: string
}

export interface Drain {
  readonly duty: Duty
  readonly done: Promise<void>
}

export function createDrain({ survey, sender, notes, mode, folder }: DrainParts): Drain {
  const { promise: done, resolve } = Promise.withResolvers<void>()
  let told: string | undefined

  const finish = async (text: string): Promise<void> => {
    await writeMode(folder, 'run')
    notes.say({ type: 'state', text })
    resolve()
  }
  return {
    done,
    duty: {
      name: 'drain',
      async look(head, signal) {
        if (mode() !== 'drain') return
        const { miner } = await survey.at(head, signal)
        if (miner === undefined) return finish('Drained: this account is no miner any more.')
        if (!isFree(miner)) {
          const text = waitText(miner)
          if (told !== text) notes.say({ type: 'state', text })
          told = text
          return
        }
        const deposit = BigInt(miner.deposit)
        if (deposit > 0n) await sender.send(withdrawCall(deposit), signal)
        survey.forget()
        await finish(`Drained: ${dllm(deposit)} of the deposit are back in the operator account.`)
      },
    },
  }
}

/** Who leaves before the epoch ends loses what its audits have credited to it. */
function isFree({ openLots, locked, workValue }: MinerView): boolean {
  return openLots === 0 && locked === '0' && workValue === '0'
}

function waitText({ openLots, locked, workValue }: MinerView): string {
  if (openLots === 0 && locked === '0') {
    return `Draining: at the end of the epoch ${dllm(BigInt(workValue))} at most come for audited work; then the deposit returns.`
  }
  return `Draining: ${count(openLots, 'job')} to be settled, ${dllm(BigInt(locked))} of the deposit stand behind jobs and audits.`
}
