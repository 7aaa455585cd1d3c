/**
 * The page of the keys.
 * @module
 */
import type { Panel } from '../app/dashboard/panels.ts'

export const HELP: Panel = {
  title: 'Keys',
  rows: [
    { label: 'Tab, arrows', value: 'another panel' },
    { label: 'Enter', value: 'the panel with the focus alone, and back' },
    { label: '?', value: 'this page, and back' },
    { label: 'Esc', value: 'all panels' },
    { label: 'q, Ctrl-C', value: 'quit' },
    { label: '', value: ' ' },
    {
      label: '',
      value:
        'Everything is asked for once a second. Times and rates begin with the dashboard. Tokens per second count the tokens of prompts too. The chain shows final blocks only.',
    },
    { label: '', value: ' ' },
    { label: '', value: 'The same as text: `dllm dashboard --once`; for programs: `--json`.' },
  ],
}
