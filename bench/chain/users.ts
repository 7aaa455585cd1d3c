/**
 * Users of a network's nodes as processes: started, ready, set off together, and what they saw.
 * @module
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { nodeFolder } from '../../src/app/node/node-folders.ts'
import type { BenchNetwork, NodeProcess } from './bench-network.ts'
import type { UserPlan, UserSeen } from './user.ts'

export interface Users {
  /** Sets them off and resolves when all have seen the last block that they wait for. */
  run(): Promise<readonly UserSeen[]>
  stop(): void
}

const PROGRAM = join(import.meta.dirname, 'user.ts')

/** One user beside each node of the list; user i sends from the i-th share of the accounts. */
export async function startUsers(
  { home, hosts, networkId }: BenchNetwork,
  nodes: readonly { readonly node: NodeProcess; readonly index: number }[],
  plan: Pick<UserPlan, 'senders' | 'perSecond' | 'seconds'> & { readonly first?: number },
): Promise<Users> {
  const started = await Promise.all(
    nodes.map(async ({ node, index }, each) => {
      const first = (plan.first ?? 0) + each * plan.senders
      const own: UserPlan = { ...plan, first, folder: nodeFolder(home, node.name).path, networkId }
      const command = [process.execPath, PROGRAM, JSON.stringify(own)]
      const [program, ...args] = hosts === undefined ? command : hosts.on(index, command)
      const child = spawn(program!, args, { stdio: ['pipe', 'pipe', 'inherit'] })
      const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
      await Promise.race([lines.next(), once(child, 'exit').then(() => Promise.reject(new Error('a user ended')))])
      return { child, lines }
    }),
  )
  return {
    run: () =>
      Promise.all(
        started.map(async ({ child, lines }) => {
          child.stdin.write('go\n')
          const { value } = await lines.next()
          if (value === undefined) throw new Error('a user ended before it told what it saw')
          return JSON.parse(value as string) as UserSeen
        }),
      ),
    stop: () => {
      for (const { child } of started) child.kill('SIGKILL')
    },
  }
}
