/**
 * What oclif's parser says of a wrong command line, as one sentence. It lists what is missing on lines of their own and
 * appends a hint that the commands print themselves. Spec: docs/spec/cli.md §1.
 * @module
 */
import { stripVTControlCharacters } from 'node:util'

export function usageSentence(parserMessage: string): string {
  const message = stripVTControlCharacters(parserMessage).replace(/\nSee more help with --help$/, '')
  const [, listed, flags] =
    /^Missing \d+ required args?:\n([\s\S]*?)(?:\n\nNote: (.*) allows? multiple values\.[\s\S]*)?$/.exec(message) ?? []
  // A flag that may be given again takes what follows it.
  const place = flags === undefined ? '' : ` Arguments come before ${flags}.`
  const sentence = listed === undefined ? reworded(message) : `Missing: ${missing(listed)}.${place}`
  return oneLine(sentence).replace(/([^.])$/, '$1.')
}

/** `amount   How much, in DLLM.` as `amount (How much, in DLLM)`. */
function missing(listed: string): string {
  const lines = listed.split('\n').filter((line) => line.trim() !== '')
  return lines.map((line) => line.trim().replace(/^(\S+)\s+(.*?)\.?$/, '$1 ($2)')).join(', ')
}

function reworded(message: string): string {
  return message
    .replace(/^The following errors? occurred:\s+/, '')
    .replace(/^Parsing (\S+)\s+Expected/, '$1: expected')
    .replace(/^Unexpected arguments?: (.*)$/s, 'Too much on the command line: $1. Text with spaces goes into quotes')
    .replace(/^Nonexistent flag: (.*)$/s, 'There is no flag $1')
    .replace(/^Nonexistent flags: (.*)$/s, 'There are no flags $1')
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}
