/** Typing a line key by key: what a terminal sends, and what becomes of it. */
import { expect, test } from 'vitest'
import { createLineEditor } from '../../../src/app/line-editor.ts'

test.each([
  ['plain letters', 'abc\r', 'abc'],
  ['a backspace', 'abx\u007fc\r', 'abc'],
  ['a backspace over nothing', '\u007f\u007fab\r', 'ab'],
  ['a backspace over a letter outside the first plane', 'a𝔱\u007fb\r', 'ab'],
  ['clearing with Ctrl-U', 'wrong\u0015right\r', 'right'],
  ['erasing a word with Ctrl-W', 'one two \u0017three\r', 'one three'],
  ['arrow keys', 'a\u001b[Db\u001b[1;5Cc\u001bOPd\r', 'abcd'],
  ['a lone Escape', '\u001babc\r', 'abc'],
  ['control keys', 'a\u0000\u001ab\r', 'ab'],
  ['a line feed', 'abc\n', 'abc'],
  ['letters of any script', 'größe 日本\r', 'größe 日本'],
])('%s', (_case, input, line) => {
  expect(createLineEditor(100).feed(input)).toMatchObject({ type: 'line', line })
})

test('keys may arrive one by one, sequences in pieces', () => {
  const editor = createLineEditor(100)
  for (const key of 'ab\u001b[Dc') expect(editor.feed(key)).toEqual({ type: 'more' })
  expect(editor.text).toBe('abc')
  expect(editor.feed('\r')).toMatchObject({ type: 'line', line: 'abc' })
})

test('what is pasted after the line end is kept for the next question', () => {
  expect(createLineEditor(100).feed('first\r\nsecond\n')).toEqual({ type: 'line', line: 'first', rest: 'second\n' })
})

test('Ctrl-C interrupts, and Ctrl-D ends only an empty line', () => {
  expect(createLineEditor(9).feed('ab\u0003')).toEqual({ type: 'interrupt' })
  expect(createLineEditor(9).feed('\u0004')).toEqual({ type: 'end' })
  expect(createLineEditor(9).feed('a\u0004b\r')).toMatchObject({ line: 'ab' })
})

test('more than the limit is not kept, and is noticed', () => {
  const editor = createLineEditor(3)
  expect(editor.feed('abcdef\r')).toMatchObject({ line: 'abc' })
  expect(editor.isTooLong).toBe(true)
})
