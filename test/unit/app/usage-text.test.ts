import { expect, test } from 'vitest'
import { usageSentence } from '../../../src/app/usage-text.ts'

const HINT = '\nSee more help with --help'

test.each([
  [
    'what is missing, with its meaning',
    'Missing 2 required args:\namount   How much, in DLLM.\naddress  To whom.',
    'Missing: amount (How much, in DLLM), address (To whom).',
  ],
  [
    'what is missing where a flag took it',
    'Missing 1 required arg:\nchange  A change.\n\nNote: --allow allows multiple values. Because of this …\nAlternatively …',
    'Missing: change (A change). Arguments come before --allow.',
  ],
  [
    'what is too much',
    'Unexpected arguments: b, c',
    'Too much on the command line: b, c. Text with spaces goes into quotes.',
  ],
  ['a flag that is not there', 'Nonexistent flag: --nope', 'There is no flag --nope.'],
  ['two of them', 'Nonexistent flags: --no, --nope', 'There are no flags --no, --nope.'],
  [
    'a wrong value',
    'Parsing --count \n\tExpected an integer but received: x',
    '--count: expected an integer but received: x.',
  ],
  [
    'flags that go together',
    'The following error occurred:\n  \u001b[2mAll of the following must be provided when using --a: --b\u001b[22m',
    'All of the following must be provided when using --a: --b.',
  ],
  ['anything else', 'Expected perhaps to be one of: yes, no', 'Expected perhaps to be one of: yes, no.'],
])('says %s in one sentence', (_what, message, expected) => {
  expect(usageSentence(message + HINT)).toBe(expected)
})
