/**
 * Entry of the process that looks at GPUs (app/gpu/probe.ts): says once, by IPC, what it found, and ends.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { HouseError } from '../../base/error.ts'
import { type GpuProbe, type ProbeTests, probeGpus } from './probe.ts'

export type ProbeReply =
  | { readonly type: 'found'; readonly gpus: readonly GpuProbe[] }
  | { readonly type: 'refused'; readonly code: string; readonly message: string }

async function reply(): Promise<ProbeReply> {
  try {
    return { type: 'found', gpus: await probeGpus(process.argv[2] as ProbeTests) }
  } catch (error) {
    if (!(error instanceof HouseError)) throw error
    return { type: 'refused', code: error.code, message: error.message }
  }
}

assert(process.send, 'this file runs in a process of its own')
process.send(await reply())
process.disconnect()
