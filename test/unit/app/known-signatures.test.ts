import { expect, test } from 'vitest'
import { rememberAccepted } from '../../../src/app/known-signatures.ts'
import type { SignedBytes } from '../../../src/core/ed25519.ts'

const signedBy = (key: number, signature = 1, message = 1): SignedBytes => ({
  publicKey: new Uint8Array(32).fill(key),
  signature: new Uint8Array(64).fill(signature),
  message: new Uint8Array(32).fill(message),
})

/** Accepts signatures of ones, and counts how often it is asked. */
function counted(knownMax?: number) {
  const asked: SignedBytes[] = []
  const accepts = rememberAccepted((signed) => {
    asked.push(signed)
    return signed.signature[0] === 1
  }, knownMax)
  return { asked, accepts }
}

test('what was accepted is accepted again without being checked', () => {
  const { asked, accepts } = counted()
  expect([accepts(signedBy(1)), accepts(signedBy(1))]).toEqual([true, true])
  expect(asked).toHaveLength(1)
})

test.each([
  ['key', signedBy(2)],
  ['signature', { ...signedBy(1), signature: new Uint8Array(64).fill(1).fill(2, 63) }],
  ['message', signedBy(1, 1, 2)],
])('another %s is checked', (_what, other) => {
  const { asked, accepts } = counted()
  accepts(signedBy(1))
  accepts(other)
  expect(asked).toEqual([signedBy(1), other])
})

test('what was refused is checked again', () => {
  const { asked, accepts } = counted()
  expect([accepts(signedBy(1, 2)), accepts(signedBy(1, 2))]).toEqual([false, false])
  expect(asked).toHaveLength(2)
})

test('the oldest is forgotten first', () => {
  const { asked, accepts } = counted(2)
  for (const key of [1, 2, 3]) accepts(signedBy(key))
  asked.length = 0
  for (const key of [2, 3]) accepts(signedBy(key))
  expect(asked).toEqual([])
  accepts(signedBy(1))
  expect(asked).toEqual([signedBy(1)])
})
