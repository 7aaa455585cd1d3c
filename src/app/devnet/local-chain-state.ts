/**
 * What is written down about the chain of the local network: its validator processes and where they listen.
 * @module
 */
import { readFile } from 'node:fs/promises'
import { type Home, writeFileAtomic } from '../home.ts'
import { DevnetError } from './devnet-state.ts'

export interface LocalValidator {
  /** Of its identity, its folder and its log. */
  readonly name: string
  readonly pid: number
  readonly peer: string
  readonly addresses: readonly string[]
}

export interface LocalChain {
  readonly validators: readonly LocalValidator[]
}

/** undefined: never started. @throws DevnetError DEVNET_BAD_STATE. */
export async function readLocalChain(home: Home): Promise<LocalChain | undefined> {
  const path = stateFile(home)
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const parsed = parse(text)
  if (parsed !== undefined) return parsed
  const message = `The file ${path} is damaged. Stop the nodes that run (\`ps\` shows them), then delete it.`
  throw new DevnetError('DEVNET_BAD_STATE', message, { details: { path } })
}

/** Where the validators of the local chain listen, without that of one name; none before its first start. */
export async function localAddresses(home: Home, without?: string): Promise<string[]> {
  const chain = await readLocalChain(home)
  const others = (chain?.validators ?? []).filter(({ name }) => name !== without)
  return others.flatMap(({ addresses }) => addresses.slice(0, 1))
}

export async function writeLocalChain(home: Home, chain: LocalChain): Promise<void> {
  await writeFileAtomic(stateFile(home), `${JSON.stringify(chain, undefined, 2)}\n`)
}

function stateFile(home: Home): string {
  return home.file('devnet', 'chain', 'state.json')
}

function parse(text: string): LocalChain | undefined {
  try {
    const { validators } = JSON.parse(text) as LocalChain
    const isSound = validators.every(({ name, pid, addresses }) => {
      return typeof name === 'string' && Number.isInteger(pid) && Array.isArray(addresses)
    })
    return isSound ? { validators } : undefined
  } catch {
    return undefined
  }
}
