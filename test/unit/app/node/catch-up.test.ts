import { describe, expect, test } from 'vitest'
import { type CatchUp, startCatchUp } from '../../../../src/app/node/catch-up.ts'
import type { ConsensusDriver, NewInput } from '../../../../src/app/node/consensus-driver.ts'
import { encodeConsensusMessage } from '../../../../src/app/node/topics.ts'
import { AT_ONCE } from '../../../../src/app/turns.ts'
import { hash, type PeerId, peerId } from '../../../../src/base/brand.ts'
import { Writer } from '../../../../src/base/codec.ts'
import { encodeBlock, writeCommit } from '../../../../src/core/block/block.ts'
import type { ChainWork } from '../../../../src/core/block-work.ts'
import type { Chain } from '../../../../src/core/chain.ts'
import { decodeQuestion, encodeAnswer } from '../../../../src/net/protocols/chain.ts'
import type { Channel, PeerConduct, Verdict, Wire } from '../../../../src/net/wire.ts'
import { createFakeClock, type FakeClock, until } from '../../../fake-clock.ts'
import { headerOf, idOf, START_MS, setOf, TIMING } from '../../../sim/small-ledger.ts'

const NETWORK_ID = hash('ab'.repeat(32))
const ANSWERED_MS = 1_000
const UNANSWERED_MS = 12_000

interface Setting {
  readonly peers: readonly string[]
  readonly silent?: readonly string[]
  /** What every peer lets wait. */
  readonly waiting?: readonly Uint8Array[]
  /** Proposals that every peer has for us. */
  readonly missing?: readonly Uint8Array[]
  readonly verdict?: Verdict
  /** The next block that every peer has, with its commit. */
  readonly block?: readonly Uint8Array[]
}

interface Running {
  readonly catchUp: CatchUp
  readonly clock: FakeClock
  /** Who was asked, in order, once per turn. */
  readonly asked: PeerId[]
  readonly offered: Uint8Array[]
  readonly judged: PeerConduct[]
  /** What was done with proposals, in order. */
  readonly done: string[]
}

function run({ peers, silent = [], waiting = [], missing = [], verdict = 'accept', block = [] }: Setting): Running {
  const clock = createFakeClock()
  const asked: PeerId[] = []
  const offered: Uint8Array[] = []
  const judged: PeerConduct[] = []
  const done: string[] = []
  const open: Wire['open'] = async ({ peer }) => {
    let answer: Uint8Array | undefined
    const channel: Partial<Channel> = {
      send(bytes) {
        const { type } = decodeQuestion(bytes)
        if (type === 'consensus') asked.push(peer)
        const height = block.length / 2
        const head = { networkId: NETWORK_ID, height, blockHash: NETWORK_ID, oldestHeight: 1 }
        const items = type === 'waiting' ? waiting : type === 'blocks' ? block : missing
        answer = encodeAnswer({ type: 'items', head, items })
      },
      receive: () => (silent.includes(peer) ? new Promise(() => undefined) : Promise.resolve(answer)),
      close: async () => undefined,
    }
    return channel as Channel
  }
  const wire = {
    open,
    connectedPeers: () => peers.map(peerId),
    judge: (_peer: PeerId, conduct: PeerConduct) => void judged.push(conduct),
  } as unknown as Wire
  const catchUp = startCatchUp({
    ...{ wire, clock, turns: AT_ONCE, log: { write: () => undefined } },
    chain: {
      ...{ networkId: NETWORK_ID, header: { height: 0 } },
      *prepare({ type }: ChainWork) {
        yield
        done.push(`prepared ${type}`)
      },
    } as unknown as Chain,
    driver: {
      take: async (input: NewInput) => {
        if (input.type === 'finalized') done.push(`took ${input.block.header.units} units`)
        if (input.type === 'catch-up') done.push(...input.messages.map(({ type }) => `took ${type}`))
        return 'accept'
      },
    } as ConsensusDriver,
    foresee: async ({ round }) => {
      await Promise.resolve()
      done.push(`foresaw round ${round}`)
    },
    summary: () => new Uint8Array(0),
    onTransaction(bytes) {
      offered.push(bytes)
      return verdict
    },
  })
  return { catchUp, clock, asked, offered, judged, done }
}

/** One turn after the other, each long enough for an answer, or for giving up on it. */
async function turns({ clock, asked }: Running, count: number, silent: readonly string[] = []): Promise<void> {
  for (let turn = 0; turn < count; turn++) {
    const before = asked.length
    clock.advance(ANSWERED_MS)
    await until(() => asked.length > before, 'a question')
    await new Promise((resolve) => setImmediate(resolve))
    if (!silent.includes(asked.at(-1)!)) continue
    clock.advance(UNANSWERED_MS)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('catching up', () => {
  test('leaves a peer alone for a while that did not answer, since nobody else is asked meanwhile', async () => {
    const silent = ['b']
    const running = run({ peers: ['a', 'b', 'c'], silent })
    await turns(running, 9, silent)
    expect(running.asked.filter((peer) => peer === 'b')).toHaveLength(1)
    await running.catchUp.stop()
  })

  test('asks on when nobody answers', async () => {
    const silent = ['a', 'b']
    const running = run({ peers: silent, silent })
    await turns(running, 4, silent)
    expect(running.asked).toEqual(['a', 'b', 'a', 'b'])
    await running.catchUp.stop()
  })

  test('looks at nothing more of a peer that lets wait what is wrong in every state', async () => {
    const waiting = [Uint8Array.of(1), Uint8Array.of(2)]
    const running = run({ peers: ['a'], waiting, verdict: 'reject' })
    await turns(running, 8)
    expect([running.offered, running.judged]).toEqual([[waiting[0]], ['reject']])
    await running.catchUp.stop()
  })

  test.each([
    ['a large block', 600, ['prepared finalized', 'took 600 units']],
    ['no small one', 20, ['took 20 units']],
  ])('works ahead on %s before the replica is given it', async (_what, units, done) => {
    const head = {
      height: 0,
      hash: NETWORK_ID,
      timeMs: START_MS,
      commit: undefined,
      validators: setOf([1n]),
      timing: TIMING,
    }
    const header = { ...headerOf({ head, round: 0, timeMs: START_MS, proposer: idOf(0) }), units }
    const commit = { height: 1, round: 0, blockHash: NETWORK_ID, signatures: [new Uint8Array(64)] }
    const block = [
      encodeBlock({ header, lastCommit: undefined, transactions: [] }),
      writeCommit(new Writer(), commit).finish(),
    ]
    const running = run({ peers: ['a'], block })
    await turns(running, 1)
    expect(running.done.slice(0, done.length)).toEqual(done)
    await running.catchUp.stop()
  })

  test('works ahead on a proposal before the replica is given it', async () => {
    const proposal = {
      ...{ height: 1, round: 3, validRound: undefined, blockHash: NETWORK_ID },
      ...{ block: new Uint8Array(9), signature: new Uint8Array(64) },
    }
    const running = run({ peers: ['a'], missing: [encodeConsensusMessage({ type: 'proposal', proposal })] })
    await turns(running, 1)
    expect(running.done).toEqual(['foresaw round 3', 'took proposal'])
    await running.catchUp.stop()
  })
})
