/**
 * Tells how far a download is: a line that is redrawn on a terminal, an object a second for programs.
 * Spec: docs/spec/cli.md §14.
 * @module
 */
import type { PeerId } from '../../base/brand.ts'
import type { Clock } from '../../base/ports.ts'
import { createProgress, type ProgressOutput } from '../progress.ts'
import type { PullProgress } from './pull-progress.ts'

export interface PullTeller {
  update(progress: PullProgress): void
  /** Removes the line. */
  end(): void
}

export interface TellerPorts {
  readonly output: ProgressOutput
  readonly emit: (value: object) => void
  readonly clock: Clock
}

/** `label`: what is fetched. */
export function createPullTeller(label: string, { output, emit, clock }: TellerPorts): PullTeller {
  const line = createProgress(label, output, { clock })
  return {
    update: (progress) => {
      const { doneBytes, totalBytes, keptBytes, receivedBytes, bytesPerSecond, peers, secondsLeft, heldFiles } =
        progress
      line.update(doneBytes, totalBytes, {
        keptBytes,
        bytesPerSecond,
        remark: remarkOf(progress),
      })
      emit({
        type: 'fetching',
        ...{ what: label, doneBytes, totalBytes, keptBytes, receivedBytes, peers },
        from: sendersOf(progress),
        banned: progress.banned,
        heldFiles,
        bytesPerSecond: Math.round(bytesPerSecond),
        ...(secondsLeft === undefined ? {} : { secondsLeft: Math.ceil(secondsLeft) }),
      })
    },
    end: line.end,
  }
}

/** Who brings it; another download of this machine may have all that is left. */
function remarkOf({ peers, heldFiles }: PullProgress): string {
  if (peers === 0 && heldFiles > 0) return 'another dllm is fetching it'
  return peers === 1 ? '1 peer' : `${peers} peers`
}

/** Who sent how much, the most first. */
export function sendersOf({ from }: Pick<PullProgress, 'from'>): { readonly peer: PeerId; readonly bytes: number }[] {
  return [...from].map(([peer, bytes]) => ({ peer, bytes })).sort((a, b) => b.bytes - a.bytes)
}
