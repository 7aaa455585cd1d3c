/** What a miner sends to some of its auditors it has sent to all. */
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { fetchInputs } from '../../src/app/audit/audit-client.ts'
import { serveAudits } from '../../src/app/audit/audit-server.ts'
import type { AuditShelf, LotRow } from '../../src/app/audit/audit-shelf.ts'
import { createClaimedReceipts } from '../../src/app/audit/claimed-receipts.ts'
import type { AuditView } from '../../src/app/chain/market-access.ts'
import { openLotFolder } from '../../src/app/market/lot-folder.ts'
import { createSystem } from '../../src/app/system.ts'
import { findingOf } from '../../src/core/market/receipt.ts'
import type { LabMiner } from './audit-lab.ts'
import { type AuditedLease, addressOf, auditedLease } from './audited-lease.ts'
import { silent } from './ring-world.ts'

const { clock } = createSystem()
const NEVER = new AbortController().signal

let world: AuditedLease
afterEach(() => world.lab.close())

describe('auditors pass on what a miner sends to some of them:', () => {
  let audit: AuditView
  let asked: LabMiner[]
  let refused: Set<string>

  /** The miner of lot 2 sends nothing to some. */
  async function startWith(change: (message: Uint8Array) => Uint8Array = (message) => message): Promise<void> {
    world = await auditedLease()
    ;[audit] = (await world.auditsIn(1)) as [AuditView]
    asked = world.askedFor(audit)
    refused = new Set()
    const { wire } = world.lab.miners[1]!
    const picky = {
      ...wire,
      handle: (...[protocol, options, handler]: Parameters<typeof wire.handle>) =>
        wire.handle(protocol, options, async (channel) => {
          if (!refused.has(channel.peer)) await handler(channel)
        }),
    }
    await world.serve(1, { wire: picky })
    for (const { wire: theirs, peerKey: key, who } of asked) {
      const empty = await openLotFolder(join(world.lab.market.root, `lots-${who.id}`), 1e6)
      const shelf = await world.shelfOf({ wire: theirs, peerKey: key, who })
      const own = { ...shelf, messages: (part: LotRow) => changing(shelf.messages(part), change) }
      shelves.set(who.id, shelf)
      const parts = {
        chain: world.lab.chain,
        lots: empty,
        receipts: createClaimedReceipts(empty),
        shelf: own,
        peerKey: key,
      }
      await serveAudits(theirs, parts, { clock, log: silent })
    }
  }
  const shelves = new Map<string, AuditShelf>()
  function changing(messages: ReturnType<AuditShelf['messages']>, change: (message: Uint8Array) => Uint8Array) {
    return messages && changed(messages, change)
  }
  async function* changed(messages: AsyncIterable<Uint8Array>, change: (message: Uint8Array) => Uint8Array) {
    for await (const message of messages) yield change(message)
  }
  const attemptOf = (by: LabMiner) => world.attempt(audit, by, { shelf: shelves.get(by.who.id)! })

  test('who got nothing from the miner gets it from another auditor, with the same finding', async () => {
    await startWith()
    const [one, other, third] = asked as [LabMiner, LabMiner, LabMiner]
    refused = new Set([other.wire.peer, third.wire.peer])
    expect(await attemptOf(other)).toMatchObject({ type: 'missing' })
    const first = await attemptOf(one)
    expect(first).toMatchObject({ type: 'found' })
    expect(await attemptOf(other)).toEqual(first)
    expect(await attemptOf(third)).toEqual(first)
  })

  test('what goes further than an auditor needs is good enough', async () => {
    await startWith()
    const audits = await world.auditsIn(1)
    const last = audits.at(-1)!
    const one = world.askedFor(last).find((each) => world.askedFor(audits[0]!).includes(each))!
    const [other] = world.askedFor(audits[0]!).filter((each) => each !== one) as [LabMiner]
    const shelf = shelves.get(one.who.id) ?? (await world.shelfOf(one))
    refused = new Set([other.wire.peer])
    expect(await world.attempt([audits[0]!, last], one, { shelf })).toMatchObject({ type: 'found' })
    const found = await attemptOf(other)
    const { receipt, outDigest } = world.coverOf(audit)
    expect(found).toEqual({ type: 'found', findings: new Map([[audit.row, findingOf(receipt, outDigest)]]) })
  })

  test('what another auditor changed is not believed, and not passed on', async () => {
    await startWith((message) => (message.length > 500 ? message.with(400, message[400]! ^ 1) : message))
    const [one, other] = asked as [LabMiner, LabMiner]
    refused = new Set([other.wire.peer])
    expect(await attemptOf(one)).toMatchObject({ type: 'found' })
    expect(await attemptOf(other)).toMatchObject({ type: 'missing' })
    expect(shelves.get(other.who.id)!.hasLot(audit)).toBe(false)
  })

  test('only auditors of the audit get it, and only until it ends', async () => {
    await startWith()
    const [one, other] = asked as [LabMiner, LabMiner]
    await attemptOf(one)
    const [stranger] = world.lab.auditors.filter((one) => !world.askedFor(audit).includes(one)) as [LabMiner]
    const from = (by: LabMiner) => fetchInputs(addressOf(one.wire), audit, { wire: by.wire, clock, signal: NEVER })
    await expect(from(stranger)).rejects.toThrow('(AUDIT_UNKNOWN)')
    const inputs = await from(other)
    inputs.close()
    await shelves.get(one.who.id)!.keepOnly([])
    await expect(from(other)).rejects.toThrow('(AUDIT_UNKNOWN)')
  })
})
