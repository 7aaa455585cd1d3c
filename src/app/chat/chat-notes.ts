/**
 * What a chat tells people about its network, on stderr: that processes are being started, that they run, that a ring
 * was lost. What takes seconds is said at once on a terminal, and replaced by its result.
 * @module
 */
import { messageOf } from '../../base/error.ts'
import type { ChatRun } from './run-chat.ts'

export interface ChatNotes {
  readonly onStarting: (miners: number) => void
  readonly onStarted: (miners: number) => void
  readonly onLost: (why: unknown) => void
}

const CLEAR_LINE = '\r\x1b[K'

export function createChatNotes(run: Pick<ChatRun, 'note' | 'isJson'>, model: string): ChatNotes {
  const isDrawn = process.stderr.isTTY && !run.isJson
  const transient = (text: string) => {
    if (isDrawn) process.stderr.write(CLEAR_LINE + text)
  }
  let wasLost = false
  return {
    onStarting: (miners) => transient(`Starting ${processes(miners, model)} …`),
    onStarted: (miners) => {
      transient('')
      const advice = wasLost ? '' : ' They stay for the next chat; `dllm devnet down` stops them.'
      run.note(`Started the local network: ${processes(miners, model)}.${advice}`)
    },
    onLost: (why) => {
      wasLost = true
      run.note(`\n${messageOf(why)} Looking for another ring.`)
    },
  }
}

function processes(miners: number, model: string): string {
  return `${miners} miner ${miners === 1 ? 'process' : 'processes'} for ${model}`
}
