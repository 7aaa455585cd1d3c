/**
 * Seed signatures made in a thread are those made on the spot, whether they were foreseen or not.
 * @module
 */
import { expect, test } from 'vitest'
import { createSeedThread } from '../../../../src/app/node/seed-thread.ts'
import { validatorKeysOf } from '../../../../src/app/node/validator-keys.ts'
import { blsSign } from '../../../../src/core/bls.ts'

const keys = validatorKeysOf(new Uint8Array(32).fill(9))
const message = new Uint8Array(32).fill(1)
const signature = blsSign(message, keys.seedSecret)
const good = { signature, message, publicKey: keys.seedKey }
const bad = { ...good, message: new Uint8Array(32).fill(2) }

test('what was foreseen and what was not come to the same verdict', async () => {
  const scheme = createSeedThread()
  expect([scheme.verify(good), scheme.verify(bad)]).toEqual([true, false])
  await Promise.all([scheme.foresee?.(good), scheme.foresee?.(bad)])
  expect([scheme.verify(good), scheme.verify(bad)]).toEqual([true, false])
})

test('a signature that was begun ahead is the only one that there is', async () => {
  const scheme = createSeedThread()
  void scheme.foresign?.(message, keys)
  expect(scheme.sign(message, keys)).toEqual(signature)
  // The thread answers in order: when this is known, the signature is there.
  await scheme.foresee?.(good)
  expect(scheme.sign(message, keys)).toEqual(signature)
})

test('more than the thread takes is not waited for', async () => {
  const scheme = createSeedThread()
  const many = Array.from({ length: 20 }, (_, index) => ({ ...good, message: new Uint8Array(32).fill(index) }))
  await Promise.all(many.map((signed) => scheme.foresee?.(signed)))
  expect(scheme.verify({ ...good, message: new Uint8Array(32).fill(19) })).toBe(false)
})

test('a signature of our own is good for our key and no other, as it is when it is checked', async () => {
  const scheme = createSeedThread()
  expect(scheme.sign(message, keys)).toEqual(signature)
  const other = validatorKeysOf(new Uint8Array(32).fill(8))
  const claims = [good, bad, { ...good, publicKey: other.seedKey }]
  expect(claims.map((signed) => scheme.verify(signed))).toEqual([true, false, false])
})
