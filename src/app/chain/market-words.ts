/**
 * Transactions of the market in a few words. Spec: docs/spec/cli.md §5.
 * @module
 */
import { count, money, segmentsText, type Told } from './text-parts.ts'

type Body = Readonly<Record<string, unknown>>

/** undefined for a type of transaction that is not of the market. */
export function tellMarket(type: string, body: Body): Told | undefined {
  return tellSupply(type, body) ?? tellLease(type, body) ?? tellAudit(type, body)
}

function tellSupply(type: string, body: Body): Told | undefined {
  const text = (name: string): string => String(body[name] ?? '')
  switch (type) {
    case 'register-model':
      return { title: 'registered a model', details: [text('name'), text('model'), ...lineageLines(body)] }
    case 'retire-model':
      return { title: 'retired a model', details: [text('model')] }
    case 'propose-model':
      return { title: 'proposed to activate a model', details: [text('model'), activationText(body)] }
    case 'report-canary':
      return {
        title: `reported that a canary ${body['passed'] === true ? 'passed' : 'failed'}`,
        details: [text('model')],
      }
    case 'register-miner': {
      const details = [`deposit ${money(text('deposit'))}`, `payout  ${text('payout')}`]
      return { title: `registered as a miner (${text('device')})`, details }
    }
    case 'withdraw-deposit':
      return { title: `withdrew ${money(text('amount'))} of a miner's deposit`, details: [] }
    case 'place': {
      const way = body['displaces'] === true ? ['instead of the lowest deposit, if no place was left'] : []
      const title = body['slots'] === 0 ? 'ended a placement' : placementTitle(body)
      return { title, details: [text('model'), ...way] }
    }
    default:
      return undefined
  }
}

function tellLease(type: string, body: Body): Told | undefined {
  const text = (name: string): string => String(body[name] ?? '')
  switch (type) {
    case 'open-lease':
      return { title: `opened a lease for at most ${money(text('cap'))}`, details: [`of ${text('model')}`] }
    case 'close-lease':
      return { title: 'closed a lease', details: [text('lease')] }
    case 'claim-lease':
      return {
        title: `claimed ${count(Number(body['rows']), 'row')} of lot ${Number(body['lot']) + 1}`,
        details: [text('lease')],
      }
    default:
      return undefined
  }
}

function tellAudit(type: string, body: Body): Told | undefined {
  const details = [`lot ${Number(body['lot']) + 1} of`, String(body['lease'])]
  switch (type) {
    case 'commit-verdict':
      return { title: 'committed to a finding of an audit', details }
    case 'open-receipt':
      return { title: 'opened a receipt for an audit', details }
    case 'reveal-verdict':
      return { title: 'revealed its finding of an audit', details }
    default:
      return undefined
  }
}

function lineageLines({ predecessor, canary }: Body): string[] {
  return [
    ...(predecessor === undefined ? [] : ['to take the place of', String(predecessor)]),
    ...(canary === undefined ? [] : ['with a canary']),
  ]
}

function activationText({ activationHeight }: Body): string {
  return activationHeight === 0 ? 'as early as can be' : `at block ${Number(activationHeight)} or later`
}

function placementTitle({ first, end, slots }: Body): string {
  return `serves ${segmentsText(Number(first), Number(end))}, ${count(Number(slots), 'lease')} at once`
}
