import { expect, test } from 'vitest'
import type { ConsensusDriver, NewInput } from '../../../../src/app/node/consensus-driver.ts'
import { hearNews } from '../../../../src/app/node/news.ts'
import { TOPICS } from '../../../../src/app/node/topics.ts'
import { hash, type PeerId, peerId } from '../../../../src/base/brand.ts'
import { CodecError } from '../../../../src/base/codec.ts'
import type { Chain } from '../../../../src/core/chain.ts'
import { encodeProposal, type Proposal } from '../../../../src/core/consensus/messages.ts'
import type { Topic, Verdict, Wire } from '../../../../src/net/wire.ts'

const PEER = peerId('peer')
const PROPOSAL: Proposal = {
  ...{ height: 5, round: 3, validRound: undefined, blockHash: hash('ab'.repeat(32)) },
  ...{ block: new Uint8Array(9), signature: new Uint8Array(64) },
}

interface Heard {
  readonly done: string[]
  tell(proposal: Proposal): Promise<Verdict>
}

function hear(foresee: (proposal: Proposal) => Promise<void>, height = 4): Heard {
  const done: string[] = []
  const hearers = new Map<Topic, (bytes: Uint8Array, from: PeerId) => Verdict | Promise<Verdict>>()
  hearNews({
    wire: { subscribe: (topic, _options, judge) => void hearers.set(topic, judge) } as Wire,
    chain: { header: { height } } as Chain,
    driver: {
      take: async (input: NewInput) => {
        done.push(`took ${input.type}`)
        return 'accept'
      },
    } as ConsensusDriver,
    onTransaction: () => undefined,
    async foresee(proposal) {
      await foresee(proposal)
      done.push(`foresaw round ${proposal.round}`)
    },
  })
  return { done, tell: async (proposal) => hearers.get(TOPICS.proposal)!(encodeProposal(proposal), PEER) }
}

test('a proposal that is told is looked at ahead before the replica is given it', async () => {
  const { done, tell } = hear(() => Promise.resolve())
  expect(await tell(PROPOSAL)).toBe('accept')
  expect(done).toEqual(['foresaw round 3', 'took proposal'])
})

test('a proposal whose block cannot be read is the fault of who told it, and the replica never sees it', async () => {
  const { done, tell } = hear(() => Promise.reject(new CodecError('CODEC_BAD_VALUE', 'no')))
  expect(await tell(PROPOSAL)).toBe('reject')
  expect(done).toEqual([])
})

test('a proposal of a height that is over is not looked at', async () => {
  const { done, tell } = hear(() => Promise.resolve(), 5)
  expect(await tell(PROPOSAL)).toBe('ignore')
  expect(done).toEqual([])
})
