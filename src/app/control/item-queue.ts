/**
 * A bounded queue from events to a stream: the source pushes when something happens, the reader takes when it can. A
 * reader that falls too far behind loses the stream rather than items: a gap would be silent.
 * Spec: docs/spec/control.md §6.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { CONTROL_LIMITS } from '../../base/chain-limits.ts'
import { controlError } from './control-errors.ts'

export interface ItemQueue<Item extends object> extends AsyncIterable<Item> {
  /** Adds an item; after the end it is dropped. Never throws and never waits. */
  push(item: Item): void
  /** The reader gets what is queued, then the end. */
  end(): void
}

export interface ItemQueueOptions {
  /** Of the call: the queue ends with it. */
  readonly signal: AbortSignal
  /** Runs once when the stream is over for whatever reason: unsubscribe here. */
  readonly onClose: () => void
  /** Default CONTROL_LIMITS.streamQueueItemsMax. */
  readonly itemsMax?: number
}

/** For one reader. Overflow ends it with CONTROL_STREAM_SLOW at once; what was queued is gone. */
export function createItemQueue<Item extends object>(options: ItemQueueOptions): ItemQueue<Item> {
  return new Queue<Item>(options)
}

class Queue<Item extends object> implements ItemQueue<Item>, AsyncIterator<Item, undefined> {
  readonly #options: ItemQueueOptions
  readonly #itemsMax: number
  #items: Item[] = []
  #isOpen = true
  #failure: Error | undefined
  /** Of a reader that waits for the next item. */
  #waiting: ((result: IteratorResult<Item, undefined>) => void) | undefined

  constructor(options: ItemQueueOptions) {
    this.#options = options
    this.#itemsMax = options.itemsMax ?? CONTROL_LIMITS.streamQueueItemsMax
    if (options.signal.aborted) this.end()
    else options.signal.addEventListener('abort', this.#onAbort)
  }

  push(item: Item): void {
    if (!this.#isOpen) return
    if (this.#waiting !== undefined) {
      this.#takeReader()?.({ done: false, value: item })
    } else if (this.#items.length < this.#itemsMax) {
      this.#items.push(item)
    } else {
      this.#items = []
      this.#failure = controlError('CONTROL_STREAM_SLOW', { details: { max: this.#itemsMax } })
      this.end()
    }
  }

  end(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#options.signal.removeEventListener('abort', this.#onAbort)
    this.#options.onClose()
    this.#takeReader()?.({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): AsyncIterator<Item, undefined> {
    return this
  }

  next(): Promise<IteratorResult<Item, undefined>> {
    assert(this.#waiting === undefined, 'a queue has one reader, which takes one item at a time')
    const item = this.#items.shift()
    if (item !== undefined) return Promise.resolve({ done: false, value: item })
    if (this.#failure !== undefined) {
      const failure = this.#failure
      this.#failure = undefined
      return Promise.reject(failure)
    }
    if (!this.#isOpen) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve) => {
      this.#waiting = resolve
    })
  }

  return(): Promise<IteratorResult<Item, undefined>> {
    this.#items = []
    this.end()
    return Promise.resolve({ done: true, value: undefined })
  }

  readonly #onAbort = (): void => {
    this.#items = []
    this.end()
  }

  #takeReader(): ((result: IteratorResult<Item, undefined>) => void) | undefined {
    const waiting = this.#waiting
    this.#waiting = undefined
    return waiting
  }
}
