/** Miners, their deposits and placements: what each contract changes when accepted, and by which code each refusal is known. */
import { describe, expect, test } from 'vitest'
import { type AccountId, hash } from '../../../../src/base/brand.ts'
import { MARKET_LIMITS } from '../../../../src/base/chain-limits.ts'
import { provePeerKey } from '../../../../src/core/peer-key-proof.ts'
import { getAccount } from '../../../../src/core/state/accounts.ts'
import { getMiner, newMiner, operatorOfPeerKey, putMiner } from '../../../../src/core/state/miners.ts'
import { countPlacements, getPlacement, placementIds, putPlacement } from '../../../../src/core/state/placements.ts'
import type { Place } from '../../../../src/core/transaction/place.ts'
import { DLLM } from '../../../chain-accounts.ts'
import { closeLot, lotsOf, openLot } from '../../../hand-lots.ts'
import {
  aPlace,
  begin,
  cleo,
  close,
  dan,
  HEIGHT,
  MODEL,
  miner,
  model,
  network,
  open,
  peerOf,
  place,
  refuses,
  run,
  type Step,
  state,
  withdraw,
} from './registry-world.ts'

describe('register-miner', () => {
  test('makes a miner with a deposit and a peer', () => {
    begin(miner({ payout: dan.id, device: 'gpu' }))
    const { publicKey } = peerOf(1)
    expect(getMiner(state, cleo.id)).toMatchObject({
      ...{ payout: dan.id, peerKey: publicKey, device: 'gpu', deposit: 5n * DLLM, locked: 0n, openLots: 0 },
      ...{ status: 'active', registeredHeight: HEIGHT, workRate: 0n, auditedReceipts: 0 },
    })
    expect(operatorOfPeerKey(state, publicKey)).toBe(cleo.id)
    expect(getAccount(state, cleo.id).balance).toBe(995n * DLLM - 200n * 12n)
  })

  test('again changes what it said and adds to the deposit', () => {
    begin(miner(), miner({ deposit: 0n, device: 'gpu' }), miner({ deposit: DLLM, payout: dan.id }))
    expect(getMiner(state, cleo.id)).toMatchObject({ deposit: 6n * DLLM, device: 'cpu', payout: dan.id })
  })

  test('changes the peer only without open lots, and sets the old one free', () => {
    begin(model(), miner(), place())
    open(1)
    refuses(miner({}, cleo, 2), 'PEER_KEY_CHANGED')
    run(miner({ device: 'gpu' }))
    close(1)
    run(miner({}, cleo, 2))
    expect(operatorOfPeerKey(state, peerOf(1).publicKey)).toBeUndefined()
    run(miner({}, dan, 1))
    refuses(miner({}, dan, 2), 'PEER_KEY_USED')
    refuses(miner({}, cleo, 1), 'PEER_KEY_USED')
  })

  test.each<[string, () => Step, string]>([
    ['with too small a deposit', () => miner({ deposit: 2n * DLLM - 1n }), 'DEPOSIT_TOO_SMALL'],
    ['with more than there is', () => miner({ deposit: 1_000n * DLLM }), 'INSUFFICIENT_FUNDS'],
    ['with the proof of another account', () => ({ ...miner({}, dan), by: cleo }), 'BAD_PEER_PROOF'],
    ['with the proof of another peer', () => miner({ peerKey: peerOf(2).publicKey }), 'BAD_PEER_PROOF'],
    [
      'with the proof of another network',
      () => miner(provePeerKey({ networkId: MODEL, operator: cleo.id }, peerOf(1))),
      'BAD_PEER_PROOF',
    ],
  ])('%s is refused', (_case, step, code) => {
    begin()
    refuses(step(), code)
  })

  test('of who was slashed out is refused, with any peer', () => {
    begin(miner())
    putMiner(state, cleo.id, { ...getMiner(state, cleo.id)!, status: 'slashed-out' })
    refuses(miner(), 'MINER_SLASHED_OUT')
    run(withdraw(5n * DLLM))
    expect(getMiner(state, cleo.id)).toMatchObject({ status: 'slashed-out', deposit: 0n })
    refuses(miner({}, cleo, 2), 'MINER_SLASHED_OUT')
    refuses(miner({}, dan, 1), 'PEER_KEY_USED')
  })
})

describe('withdraw-deposit', () => {
  test('of a part leaves a miner, of all none', () => {
    begin(model(), miner(), place(), withdraw(3n * DLLM))
    expect(getMiner(state, cleo.id)?.deposit).toBe(2n * DLLM)
    run(withdraw(2n * DLLM))
    expect([getMiner(state, cleo.id), [...placementIds(state)]]).toEqual([undefined, []])
    expect(operatorOfPeerKey(state, peerOf(1).publicKey)).toBeUndefined()
    run(miner({}, dan, 1))
  })

  test('of all with lots open drains: the record goes with the last of them', () => {
    begin(model(), miner(), place())
    open(2)
    run(withdraw(5n * DLLM))
    expect(getMiner(state, cleo.id)).toMatchObject({ status: 'draining', deposit: 0n })
    expect(getPlacement(state, { model: MODEL, operator: cleo.id })).toMatchObject({ slots: 0, used: 2 })
    refuses(place(), 'DEPOSIT_TOO_SMALL')
    close(1)
    expect(getMiner(state, cleo.id)?.status).toBe('draining')
    close(1)
    expect([getMiner(state, cleo.id), [...placementIds(state)]]).toEqual([undefined, []])
  })

  test('can be taken back while lots are open', () => {
    begin(model(), miner(), place())
    open(1)
    run(withdraw(5n * DLLM))
    refuses(miner({ deposit: 0n }), 'DEPOSIT_TOO_SMALL')
    run(miner({ deposit: 2n * DLLM }))
    run(place({ incarnation: 8n }))
    expect(getMiner(state, cleo.id)).toMatchObject({ status: 'active', deposit: 2n * DLLM, openLots: 1 })
    expect(getPlacement(state, { model: MODEL, operator: cleo.id })).toMatchObject({ slots: 3, used: 1 })
  })

  test.each([
    ['of nothing', withdraw(0n), 'ZERO_AMOUNT'],
    ['by who is no miner', { ...withdraw(1n), by: dan }, 'NO_SUCH_MINER'],
    ['of more than there is', withdraw(5n * DLLM + 1n), 'DEPOSIT_LOCKED'],
    ['that leaves too little', withdraw(3n * DLLM + 1n), 'DEPOSIT_TOO_SMALL'],
  ])('%s is refused', (_case, step, code) => {
    begin(miner())
    refuses(step, code)
  })

  test('of what stands behind lots is refused', () => {
    begin(model(), miner(), place())
    open(1, 2n * DLLM)
    refuses(withdraw(3n * DLLM + 1n), 'DEPOSIT_LOCKED')
    refuses(withdraw(5n * DLLM), 'DEPOSIT_LOCKED')
    run(withdraw(3n * DLLM))
  })
})

describe('place', () => {
  const id = { model: MODEL, operator: cleo.id }

  test('makes, renews and ends a placement', () => {
    begin(model(), miner(), place())
    const { model: _, displaces: __, ...terms } = aPlace
    expect(getPlacement(state, id)).toEqual({ ...terms, used: 0 })
    run(place({ first: 1, end: 3, until: HEIGHT, incarnation: 9n }))
    expect(getPlacement(state, id)).toMatchObject({ first: 1, end: 3, until: HEIGHT, incarnation: 9n })
    run(place({ slots: 0, first: 9, end: 0, until: 0, incarnation: 9n }))
    expect(getPlacement(state, id)).toBeUndefined()
  })

  test('counts open lots on, whatever it says; an end waits for them', () => {
    begin(model(), miner(), place())
    open(2)
    run(place({ slots: 1, incarnation: 8n }))
    expect(getPlacement(state, id)).toMatchObject({ slots: 1, used: 2 })
    run(place({ slots: 0, first: 0, end: 0, bid: 0n, until: 0, incarnation: 8n }))
    expect(getPlacement(state, id)).toMatchObject({ slots: 0, used: 2, first: 0, end: 2, bid: 4n })
    close(2)
    expect(getPlacement(state, id)).toBeUndefined()
  })

  test.each<[string, Partial<Place>, string]>([
    ['of an unknown model', { model: hash('00'.repeat(32)) }, 'NO_SUCH_MODEL'],
    ['of no segments', { first: 1, end: 1 }, 'BAD_RUN'],
    ['backwards', { first: 2, end: 1 }, 'BAD_RUN'],
    ['beyond the last segment', { end: 4 }, 'BAD_RUN'],
    ['that has ended', { until: HEIGHT - 1 }, 'ALREADY_PAST'],
    ['for too long', { until: HEIGHT + 51 }, 'TOO_LONG_AHEAD'],
    ['with a bid that no price reaches', { bid: 91n }, 'BID_ABOVE_PRICE_MAX'],
    ['that is none, ended', { slots: 0 }, 'NO_SUCH_PLACEMENT'],
  ])('%s is refused', (_case, change, code) => {
    begin(model(), miner())
    refuses(place(change), code)
  })

  test('of who is no miner, or has too small a deposit by now, is refused', () => {
    begin(model(), miner())
    refuses({ ...place(), by: dan }, 'NO_SUCH_MINER')
    const parameters = { ...network.context.parameters, minerDepositMin: 6n * DLLM }
    refuses({ ...place(), at: { parameters } }, 'DEPOSIT_TOO_SMALL')
  })

  test('of an earlier start is refused: a ghost neither renews nor ends what took its place', () => {
    begin(model(), miner(), place())
    refuses(place({ incarnation: 6n }), 'STALE_INCARNATION')
    refuses(place({ slots: 0, incarnation: 6n }), 'STALE_INCARNATION')
    run(place({ incarnation: 7n }))
  })

  test('of who was slashed out is refused, but it can end what it has', () => {
    begin(model(), miner(), place())
    putMiner(state, cleo.id, { ...getMiner(state, cleo.id)!, status: 'slashed-out' })
    refuses(place(), 'MINER_SLASHED_OUT')
    run(place({ slots: 0 }))
  })

  /** As many placements of others as there can be, without deposits, each with an open lot. */
  const crowded = (before: () => void = () => begin(model(), miner())) => {
    before()
    const { model: _, displaces: __, ...terms } = aPlace
    for (let number = 0; number < MARKET_LIMITS.placementsPerModelMax; number++) {
      const operator = numbered(number)
      const peerKey = new Uint8Array(32)
      new DataView(peerKey.buffer).setUint32(0, number)
      putMiner(state, operator, newMiner({ payout: operator, peerKey, device: 'cpu' }, 1))
      putPlacement(state, { model: MODEL, operator }, { ...terms, used: 0, until: HEIGHT })
      openLot(state, { model: MODEL, operator }, 1_000 + number)
    }
  }
  const numberedPlacement = (number: number) => ({ model: MODEL, operator: numbered(number) })
  const numbered = (number: number) => number.toString(16).padStart(40, '0') as AccountId
  const free = (number: number) => closeLot(state, lotsOf(state, numbered(number))[0]!)

  test('beyond the last place is refused; those that ended make room', () => {
    crowded()
    refuses(place(), 'PLACEMENTS_FULL')
    free(4)
    refuses(place(), 'PLACEMENTS_FULL')
    putPlacement(state, numberedPlacement(5), { ...getPlacement(state, numberedPlacement(5))!, until: 4 })
    putMiner(state, numbered(6), { ...getMiner(state, numbered(6))!, status: 'slashed-out' })
    run(place())
    // Their lots are open.
    expect([5, 6].map((number) => getPlacement(state, numberedPlacement(number)))).toMatchObject([
      { slots: 0, used: 1 },
      { slots: 0, used: 1 },
    ])
    expect(countPlacements(state, MODEL)).toBe(MARKET_LIMITS.placementsPerModelMax - 1)
    run(place({ slots: 2 }))
  })

  test('beyond the last place takes that of a lower deposit where it asks for it; leases of who goes are kept', () => {
    crowded(() => begin(model(), miner(), miner({ deposit: 5n * DLLM }, dan, 2)))
    const [last, next] = [1, 2].map((back) => MARKET_LIMITS.placementsPerModelMax - back) as [number, number]
    refuses(place(), 'PLACEMENTS_FULL')
    run(place({ displaces: true }))
    expect([id, numberedPlacement(last)].map((of) => getPlacement(state, of))).toMatchObject([
      { slots: 3, used: 0 },
      { slots: 0, used: 1 },
    ])
    expect(getMiner(state, numbered(last))).toMatchObject({ status: 'active', openLots: 1 })
    free(last)
    expect(getPlacement(state, numberedPlacement(last))).toBeUndefined()
    // A renewal takes nobody's place.
    run(place({ displaces: true, incarnation: 8n }))
    expect(getPlacement(state, numberedPlacement(next))).toMatchObject({ slots: 3 })
    run({ ...place({ displaces: true }), by: dan })
    expect(getPlacement(state, numberedPlacement(next))).toMatchObject({ slots: 0 })
    expect(countPlacements(state, MODEL)).toBe(MARKET_LIMITS.placementsPerModelMax)
  })

  test('of who is leaving needs a place again, and counts its open lots on', () => {
    crowded(() => {
      begin(model(), miner(), place())
      open(1)
      run(place({ slots: 0 }))
    })
    refuses(place(), 'PLACEMENTS_FULL')
    run(place({ displaces: true, slots: 2 }))
    expect(getPlacement(state, id)).toMatchObject({ slots: 2, used: 1 })
    expect(countPlacements(state, MODEL)).toBe(MARKET_LIMITS.placementsPerModelMax)
    // Without slots it asks for no place.
    run(place({ displaces: true, slots: 0 }))
    expect(getPlacement(state, id)).toMatchObject({ slots: 0, used: 1 })
  })
})
