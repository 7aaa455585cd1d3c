/**
 * How gossipsub is set up for news: nobody signs (what we send is signed inside), one id per topic and content, nothing
 * goes on before its verdict, and every limit is ours. Knows nothing of handlers.
 * Spec: docs/spec/wire.md §2.6.
 * @module
 */
import type { GossipsubOpts } from '@libp2p/gossipsub'
import { peerId } from '../base/brand.ts'
import { DEADLINES, WIRE_LIMITS } from '../base/limits.ts'
import { newsId } from './news.ts'
import type { PeerGate } from './peer-gate.ts'

/** Missing news is asked for, and the mesh is mended, once per heartbeat; libp2p's second is long beside a block of two. */
const HEARTBEAT_MS = 500
/** Heartbeats that a message is kept: a later verdict passes nothing on. Five seconds. */
const HEARTBEATS_KEPT = 10
/** Heartbeats that a message is offered to peers outside the mesh. */
const HEARTBEATS_OFFERED = 4
/** Below this many bytes "I have it already" costs more than the message. */
const NOT_AGAIN_BYTES = 1_024
/** A score below this keeps a peer out of the mesh; a single bad message does not. */
const MESH_SCORE_MIN = -20
/** Broken promises and early grafts that are forgiven: a busy machine is late now and then. Lodestar's figure. */
const LAPSES_FORGIVEN = 6
/** Peers on this machine share its address; many nodes on one host are no attack from one host. */
const LOOPBACK = ['127.0.0.1', '::1']
const TOPIC_COST_BYTES = 2_048

/** `takes` tells whether this side hears a topic, by its name on the wire. */
export function gossipOptions(gate: PeerGate, takes: (topic: string) => boolean): Partial<GossipsubOpts> {
  return {
    globalSignaturePolicy: 'StrictNoSign',
    msgIdFn: ({ topic, data }) => newsId(topic, data),
    msgIdToStrFn: (id) => Buffer.from(id).toString('latin1'),
    asyncValidation: true,
    emitSelf: false,
    fallbackToFloodsub: false,
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    batchPublish: true,
    D: 6,
    Dlo: 4,
    Dhi: 12,
    Dout: 2,
    Dlazy: 6,
    heartbeatInterval: HEARTBEAT_MS,
    mcacheLength: HEARTBEATS_KEPT,
    mcacheGossip: HEARTBEATS_OFFERED,
    seenTTL: DEADLINES.newsSeenMs,
    idontwantMinDataSize: NOT_AGAIN_BYTES,
    maxInboundDataLength: WIRE_LIMITS.newsReplyBytesMax,
    maxOutboundBufferSize: WIRE_LIMITS.newsOutgoingBytesMax,
    maxTopicBytesPerPeer: WIRE_LIMITS.topicsMax * TOPIC_COST_BYTES,
    maxInboundStreams: 4,
    maxOutboundStreams: 4,
    dataTransform: {
      // The list of allowed topics is fixed at the start; ours grows. What throws here is neither kept nor passed on.
      inboundTransform: (topic, data) => {
        if (!takes(topic)) throw new Error('this topic is not heard here')
        return data
      },
      outboundTransform: (_topic, data) => data,
    },
    scoreParams: {
      appSpecificScore: (peer) => {
        const score = gate.score(peerId(peer))
        return score < MESH_SCORE_MIN ? score : 0
      },
      appSpecificWeight: 1,
      IPColocationFactorWhitelist: new Set(LOOPBACK),
      behaviourPenaltyThreshold: LAPSES_FORGIVEN,
    },
  }
}
