/**
 * One line of typed text, key by key, for a terminal in raw mode: erase, clear, end and interrupt; arrow and function
 * keys are ignored. Knows no terminal, so that it can be tested. Spec: docs/spec/keys.md §8.
 * @module
 */

/** What a piece of input led to. `rest` is what came after the line, such as the next line of a paste. */
export type LineEvent =
  | { readonly type: 'more' }
  | { readonly type: 'line'; readonly line: string; readonly rest: string }
  | { readonly type: 'interrupt' }
  | { readonly type: 'end' }

export interface LineEditor {
  /** The characters typed so far. */
  readonly text: string
  /** Whether more was typed than the limit; the surplus is not kept. */
  readonly isTooLong: boolean
  feed(input: string): LineEvent
}

const CTRL_C = '\u0003'
const CTRL_D = '\u0004'
const CTRL_U = '\u0015'
const CTRL_W = '\u0017'
const ESCAPE = '\u001b'
const ERASE: readonly string[] = ['\u007f', '\b']

/** A new, empty line of at most `charactersMax` characters. */
export function createLineEditor(charactersMax: number): LineEditor {
  let characters: string[] = []
  let isTooLong = false
  /** Inside an escape sequence: after ESC, or inside its parameters. */
  let sequence: 'none' | 'start' | 'inside' = 'none'

  function skipsSequence(key: string): boolean {
    if (sequence === 'inside') {
      if (key >= '@' && key <= '~') sequence = 'none'
      return true
    }
    const opens = sequence === 'start' && (key === '[' || key === 'O')
    sequence = opens ? 'inside' : key === ESCAPE ? 'start' : 'none'
    return opens || key === ESCAPE
  }

  function edit(key: string): void {
    if (ERASE.includes(key)) characters.pop()
    else if (key === CTRL_U) characters = []
    else if (key === CTRL_W) characters = [...characters.join('').replace(/\S*\s*$/, '')]
    else if (key >= ' ' || key === '\t') {
      if (characters.length < charactersMax) characters.push(key)
      else isTooLong = true
    }
  }

  return {
    get text() {
      return characters.join('')
    },
    get isTooLong() {
      return isTooLong
    },
    feed(input) {
      const keys = [...input]
      for (const [index, key] of keys.entries()) {
        if (skipsSequence(key)) continue
        if (key === '\r' || key === '\n') {
          const skipped = key === '\r' && keys[index + 1] === '\n' ? 2 : 1
          return { type: 'line', line: characters.join(''), rest: keys.slice(index + skipped).join('') }
        }
        if (key === CTRL_C) return { type: 'interrupt' }
        if (key === CTRL_D && characters.length === 0) return { type: 'end' }
        edit(key)
      }
      return { type: 'more' }
    },
  }
}
