/**
 * A ring of processes joined by plain TCP sockets that pass a message on and do nothing else: what the operating system takes for a token that
 * goes round processes on one machine, whatever program they run.
 * @module
 */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { ask, endChild } from '../lab/child.ts'
import type { BareOrder } from './bare-stage.ts'

export interface BareRing {
  /** Time of one turn, over so many one after the other. */
  turnMs(count: number): Promise<number>
  close(): Promise<void>
}

const STAGE = fileURLToPath(import.meta.resolve('./bare-stage.ts'))

/** @param bytes of the message */
export async function startBareRing(processes: number, bytes: number): Promise<BareRing> {
  const stages = Array.from({ length: processes }, () => fork(STAGE, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] }))
  const order = <Told>(stage: ChildProcess, what: BareOrder): Promise<Told> => ask<Told>(stage, what)
  const close = async (): Promise<void> => {
    await Promise.all(stages.map(endChild))
  }
  try {
    const ports = await Promise.all(stages.map((stage) => order<{ port: number }>(stage, { type: 'listen', bytes })))
    await Promise.all(
      stages.map((stage, at) => order(stage, { type: 'dial', port: ports[(at + 1) % processes]!.port })),
    )
  } catch (error) {
    await close()
    throw error
  }
  return {
    close,
    turnMs: async (count) => (await order<{ turnMs: number }>(stages[0]!, { type: 'turns', count })).turnMs,
  }
}
