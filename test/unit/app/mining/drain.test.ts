/** When a miner that was told to drain has its deposit back: not before all that it is to be paid is paid. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ChainCall } from '../../../../src/app/chain/calls.ts'
import type { MinerView } from '../../../../src/app/chain/market-access.ts'
import type { ChainSender } from '../../../../src/app/market/chain-sender.ts'
import { createDrain } from '../../../../src/app/mining/drain.ts'
import { readMode, writeMode } from '../../../../src/app/mining/mode.ts'
import type { Survey } from '../../../../src/app/mining/survey.ts'
import { head, miner, sight } from './views.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dllm-drain-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

test.each<[string, Partial<MinerView>, string]>([
  ['a job is open', { openLots: 1 }, '1 job to be settled'],
  ['an audit holds a stake', { locked: '5' }, '0.000000005 DLLM of the deposit stand behind jobs and audits'],
  ['audited work is not paid', { workValue: '7' }, 'at the end of the epoch 0.000000007 DLLM at most'],
])('while %s the deposit stays, and that is said once', async (_case, change, words) => {
  await writeMode(folder, 'drain')
  const texts: string[] = []
  const sent: unknown[] = []
  let view: MinerView = miner(change)
  const survey: Partial<Survey> = { at: async (at) => sight({ head: at, miner: view }), forget: () => undefined }
  const sender = { send: async ({ body }: ChainCall) => void sent.push(body) } as unknown as ChainSender
  const notes = { say: ({ text }: { text: string }) => void texts.push(text) }
  const parts = { survey: survey as Survey, sender, notes, mode: () => 'drain' as const, folder }
  const { duty, done } = createDrain(parts)
  const look = (height: number): Promise<void> => duty.look(head(height), new AbortController().signal)
  for (const height of [1, 2]) await look(height)
  expect(sent).toEqual([])
  expect(texts).toEqual([expect.stringContaining(words)])
  view = miner()
  await look(3)
  await done
  expect(sent).toEqual([{ amount: 2_000_000_000n }])
  expect(await readMode(folder)).toBe('run')
})
