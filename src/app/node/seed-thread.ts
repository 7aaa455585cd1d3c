/**
 * Seed signatures ahead of time, in a thread: what the replica asks for is there when it asks. What is not there, because
 * nobody foresaw it or too much was asked for, is computed on the spot. Spec: docs/spec/consensus.md §2.
 * @module
 */
import { Worker } from 'node:worker_threads'
import { bytesToHex } from '@noble/hashes/utils.js'
import { NODE_LIMITS } from '../../base/chain-limits.ts'
import { type BlsSigned, blsSign, blsVerify } from '../../core/bls.ts'
import type { SeedScheme } from './node.ts'
import type { ValidatorKeys } from './validator-keys.ts'

export type SeedTask =
  | { readonly id: number; readonly type: 'sign'; readonly message: Uint8Array; readonly secret: Uint8Array }
  | { readonly id: number; readonly type: 'verify'; readonly signed: BlsSigned }

export type SeedAnswer =
  | { readonly id: number; readonly type: 'signed'; readonly signature: Uint8Array }
  | { readonly id: number; readonly type: 'verified'; readonly isValid: boolean }

/** The thread starts at once; it does not keep the process alive. */
export function createSeedThread(): SeedScheme {
  // Beside this file, with its ending: .ts from sources, .js from dist.
  const entry = new URL(`./seed-worker${import.meta.url.slice(import.meta.url.lastIndexOf('.'))}`, import.meta.url)
  const worker = new Worker(entry)
  worker.unref()
  return new Thread(worker)
}

type NewTask = SeedTask extends infer Each ? (Each extends SeedTask ? Omit<Each, 'id'> : never) : never

class Thread implements SeedScheme {
  readonly #worker: Worker
  readonly #waiting = new Map<number, (answer: SeedAnswer | undefined) => void>()
  readonly #signatures = new Map<string, Uint8Array>()
  readonly #verdicts = new Map<string, boolean>()
  /** Under way: news and an answer may bring the same proposal at once. */
  readonly #works = new Map<string, Promise<void>>()
  #isLost = false
  #tasks = 0

  constructor(worker: Worker) {
    this.#worker = worker
    worker.on('message', (answer: SeedAnswer) => {
      this.#waiting.get(answer.id)?.(answer)
      this.#waiting.delete(answer.id)
    })
    // Without the thread everything is computed on the spot.
    worker.on('error', () => this.#lose())
    worker.on('exit', () => this.#lose())
  }

  readonly sign = (message: Uint8Array, keys: ValidatorKeys): Uint8Array => {
    const key = bytesToHex(message)
    const signature = this.#signatures.get(key) ?? blsSign(message, keys.seedSecret)
    this.#made(key, { signature, message, publicKey: keys.seedKey })
    return signature
  }

  readonly verify = (signed: BlsSigned): boolean => this.#verdicts.get(signedKey(signed)) ?? blsVerify(signed)

  async foresign(message: Uint8Array, { seedSecret, seedKey }: ValidatorKeys): Promise<void> {
    const key = bytesToHex(message)
    if (this.#signatures.has(key)) return
    await this.#once(`sign ${key}`, async () => {
      const answer = await this.#ask({ type: 'sign', message, secret: seedSecret })
      if (answer?.type === 'signed') this.#made(key, { signature: answer.signature, message, publicKey: seedKey })
    })
  }

  /** What we signed ourselves need not be checked when our own block comes back: a check takes twice as long as signing. */
  #made(key: string, signed: BlsSigned): void {
    remember(this.#signatures, key, signed.signature)
    remember(this.#verdicts, signedKey(signed), true)
  }

  async foresee(signed: BlsSigned): Promise<void> {
    const key = signedKey(signed)
    if (this.#verdicts.has(key)) return
    await this.#once(`verify ${key}`, async () => {
      const answer = await this.#ask({ type: 'verify', signed })
      if (answer?.type === 'verified') remember(this.#verdicts, key, answer.isValid)
    })
  }

  async #once(name: string, work: () => Promise<void>): Promise<void> {
    const underway = this.#works.get(name) ?? work().finally(() => this.#works.delete(name))
    this.#works.set(name, underway)
    await underway
  }

  /** undefined: not answered, because too much waits or the thread is gone. */
  #ask(task: NewTask): Promise<SeedAnswer | undefined> {
    if (this.#isLost || this.#waiting.size >= NODE_LIMITS.seedTasksMax) return Promise.resolve(undefined)
    const id = this.#tasks++
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve)
      this.#worker.postMessage({ id, ...task })
    })
  }

  #lose(): void {
    this.#isLost = true
    for (const resolve of this.#waiting.values()) resolve(undefined)
    this.#waiting.clear()
  }
}

function signedKey({ signature, message, publicKey }: BlsSigned): string {
  return bytesToHex(publicKey) + bytesToHex(message) + bytesToHex(signature)
}

/** The oldest makes way. */
function remember<Value>(known: Map<string, Value>, key: string, value: Value): void {
  known.set(key, value)
  const [oldest] = known.keys()
  if (known.size > NODE_LIMITS.seedsKnownMax && oldest !== undefined) known.delete(oldest)
}
