/**
 * The GPUs of this machine with what is known of them, looked at in a process of its own.
 * Spec: docs/spec/gpu.md §3.
 * @module
 */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { milliseconds } from '../../base/brand.ts'
import { GPU_LIMITS } from '../../base/limits.ts'
import type { Clock } from '../../base/ports.ts'
import { GpuError } from './gpu-error.ts'
import type { ProbeReply } from './gpu-probe-entry.ts'
import type { GpuProbe, ProbeTests } from './probe.ts'
import { type GpuReading, gpuReadings, readingOf } from './readings.ts'

export interface ListedGpu extends GpuProbe {
  readonly reading: GpuReading | undefined
}

/** Beside this file, with its ending: .ts from sources, .js from dist. */
const ENTRY = new URL(`./gpu-probe-entry${import.meta.url.slice(-3)}`, import.meta.url)

export interface ListOptions {
  /** Whose numbers are tested. It takes drivers that compute on the processor long. */
  readonly tests: ProbeTests
}

/** In the order of their numbers; none where there is no driver. @throws GpuError GPU_NO_PACKAGE, GPU_PROBE_FAILED. */
export async function listGpus(options: ListOptions, ports: { readonly clock: Clock }): Promise<ListedGpu[]> {
  const [reply, readings] = await Promise.all([askProbe(options, ports), gpuReadings()])
  if (reply.type === 'refused') throw new GpuError(reply.code as GpuError['code'], reply.message)
  return reply.gpus.map((gpu) => {
    const { name, found } = gpu
    return { ...gpu, reading: readingOf({ name, vendor: found?.vendor ?? '' }, readings) }
  })
}

async function askProbe({ tests }: ListOptions, { clock }: { readonly clock: Clock }): Promise<ProbeReply> {
  const { promise, resolve, reject } = Promise.withResolvers<ProbeReply>()
  // What drivers print is not for people.
  const child = fork(fileURLToPath(ENTRY), [tests], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  child.once('message', (message) => resolve(message as ProbeReply))
  child.once('error', (error) => reject(failed(error.message)))
  child.once('exit', (code, signal) =>
    reject(failed(`the process that looks at them ended with ${signal ?? `code ${code}`}`)),
  )
  const waitMs = tests === 'none' ? GPU_LIMITS.probeMs : GPU_LIMITS.probeTestMs
  const cancel = clock.schedule(milliseconds(waitMs), () => reject(failed('the driver does not answer')))
  try {
    return await promise
  } finally {
    cancel()
    child.kill()
  }
}

function failed(why: string): GpuError {
  return new GpuError(
    'GPU_PROBE_FAILED',
    `The GPUs of this machine cannot be looked at: ${why}. Update the driver of the card; \`dllm mine --gpu none\` computes on the processor.`,
  )
}
