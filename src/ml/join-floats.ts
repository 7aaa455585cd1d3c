/**
 * Parts of an output, which an engine computed one after the other, as one.
 * @module
 */

/** The values of all parts, in their order, in an array of their own: outputs are copies (Stage.run). */
export function joinFloats(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
