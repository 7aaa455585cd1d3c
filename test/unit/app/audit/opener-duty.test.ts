/** What the miner of audited lots shows, and when. */
import { expect, test } from 'vitest'
import type { AuditBook } from '../../../../src/app/audit/audit-book.ts'
import type { CoveringReceipt } from '../../../../src/app/audit/claimed-receipts.ts'
import { createOpenerDuty } from '../../../../src/app/audit/opener-duty.ts'
import { createTasks } from '../../../../src/app/audit/tasks.ts'
import type { ChainCall } from '../../../../src/app/chain/calls.ts'
import type { ChainAccess, HeadView, TransactionView } from '../../../../src/app/chain/chain-access.ts'
import type { AuditView } from '../../../../src/app/chain/market-access.ts'
import type { ChainSender } from '../../../../src/app/market/chain-sender.ts'
import type { MiningEvent } from '../../../../src/app/mining/duty.ts'
import { createSystem } from '../../../../src/app/system.ts'
import { accountId, hash } from '../../../../src/base/brand.ts'
import { addressOfAccount } from '../../../../src/core/fields.ts'
import { TransactionError } from '../../../../src/core/transaction/contract.ts'

const SELF = accountId('11'.repeat(20))
const own = addressOfAccount(SELF, 'local')
const other = addressOfAccount(accountId('22'.repeat(20)), 'local')
const LEASE = hash('ab'.repeat(32))
const GONE = hash('cd'.repeat(32))
const NEVER = new AbortController().signal
const FOUND = { receipt: { window: 3 }, outDigest: hash('01'.repeat(32)), salt: hash('02'.repeat(32)), proof: {} }

function audit(committed: number, change: Partial<AuditView> = {}): AuditView {
  const auditors = Array.from({ length: 5 }, (_, index) => ({
    operator: other,
    votes: '0',
    committed: index < committed,
  }))
  return {
    ...{ lease: LEASE, lot: 0, window: 7, round: 'first', commitHeight: 40, dueHeight: 60, row: 5, standsFor: 256 },
    ...{ stake: '100', auditors },
    ...change,
  }
}

function start(asked: readonly AuditView[], { isLost = false } = {}) {
  const sent: ChainCall[] = []
  const events: MiningEvent[] = []
  const refusals: TransactionError[] = []
  const tasks = createTasks(createSystem({ level: 'silent' }).log)
  const market = {
    async lease(id: string) {
      if (id === GONE) throw new TransactionError('NO_SUCH_LEASE', 'It is gone.')
      return { id: LEASE, lots: [{ operator: own }, { operator: other }] }
    },
  }
  const chain = {
    ...{ network: { kind: 'local' }, market },
    parameters: async () => ({ values: { auditorsMin: '3' } }),
  } as unknown as ChainAccess
  const sender = {
    id: SELF,
    async send(call: ChainCall) {
      const refusal = refusals.shift()
      if (refusal !== undefined) throw refusal
      sent.push(call)
      return {} as TransactionView
    },
  } as unknown as ChainSender
  const book: AuditBook = { at: async () => ({ asked: [], ofOurs: asked }) }
  const receipts = { covering: async () => (isLost ? undefined : (FOUND as unknown as CoveringReceipt)) }
  const options = { chain, sender, peerKey: new Uint8Array(32), book, receipts, tasks }
  const duty = createOpenerDuty(options, { notes: { say: (event) => void events.push(event) } })
  const look = async (height: number): Promise<void> => {
    await duty.look({ height } as HeadView, NEVER)
    await tasks.idle()
  }
  return { look, sent, refusals, texts: () => events.map(({ type, text }) => `${type}: ${text}`) }
}

test.each<[string, AuditView, number, boolean]>([
  ['while auditors can commit', audit(5), 39, false],
  ['when enough have committed', audit(3), 40, true],
  ['when too few have', audit(2), 40, false],
  [
    'a receipt that is open',
    audit(5, { opening: { finding: LEASE, units: '1', rows: 1, milliseconds: 1 } }),
    40,
    false,
  ],
  ['the lot of somebody else in a lease of ours', audit(5, { lot: 1 }), 40, false],
])('%s: %#', async (_case, asked, height, opens) => {
  const { look, sent } = start([asked])
  await look(height)
  expect(sent.map(({ contract }) => contract.name)).toEqual(opens ? ['open-receipt'] : [])
  if (!opens) return
  const { receipt, outDigest, salt, proof } = FOUND
  const id = { lease: LEASE, lot: 0, window: 7 }
  expect(sent[0]!.body).toEqual({ audit: id, peerKey: new Uint8Array(32), receipt, outDigest, salt, proof })
})

test('one that cannot be looked up keeps no other from being opened', async () => {
  const { look, sent } = start([audit(3, { lease: GONE }), audit(3)])
  await expect(look(40)).rejects.toMatchObject({ code: 'NO_SUCH_LEASE' })
  expect(sent).toHaveLength(1)
})

test('it says that it is audited, and that it opened; once each', async () => {
  const { look, texts } = start([audit(3)])
  for (const height of [38, 39, 40]) await look(height)
  expect(texts()).toEqual([
    expect.stringMatching(/^audited: An audit of lot 1 of lease abababababab… looks at row 5\.$/),
    expect.stringMatching(/^audited: Opened the receipt of an audit of lot 1/),
  ])
})

test('a refusal is tried again at the next block', async () => {
  const { look, sent, refusals, texts } = start([audit(3)])
  refusals.push(new TransactionError('INSUFFICIENT_FUNDS', 'The balance is too small.'))
  await look(40)
  expect(texts().at(-1)).toContain('is not open yet: The balance is too small.')
  await look(41)
  expect(sent).toHaveLength(1)
})

test('a receipt that the disk does not have is a problem that people hear of', async () => {
  const { look, sent, texts } = start([audit(3)], { isLost: true })
  for (const height of [40, 41]) await look(height)
  expect(sent).toEqual([])
  expect(texts().filter((text) => text.startsWith('problem: '))).toHaveLength(1)
})
