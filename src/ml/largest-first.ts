/**
 * The order of sampling (docs/spec/numerics.md §8.3): values descending, of equals the lower index first; −0 and 0 are equal. Taken one by one,
 * since a draw rarely looks at more than a few of a vocabulary.
 * @module
 */

/** So many are found in one pass over the values; who wants more has all of them sorted. */
const SELECTED_MAX = 64
const DIGIT_BITS = 11
const DIGIT_MASK = 2 ** DIGIT_BITS - 1

/** Gives the indices of `values` (none NaN; not changed meanwhile), one by one, and undefined after the last. */
export function largestFirst(values: Float32Array): () => number | undefined {
  let ids: ArrayLike<number> | undefined
  let at = 0
  return () => {
    ids ??= firstOf(values, SELECTED_MAX)
    if (at === ids.length && at < values.length) ids = sorted(values)
    return at < ids.length ? ids[at++] : undefined
  }
}

/** The first `count` indices in the order; all where there are fewer. */
export function firstOf(values: Float32Array, count: number): ArrayLike<number> {
  return count <= SELECTED_MAX ? select(values, count) : sorted(values).subarray(0, count)
}

/** One pass that keeps the best so far in order: most values are below the last of them. */
function select(values: Float32Array, count: number): Int32Array {
  const ids = new Int32Array(Math.min(count, values.length))
  let size = 0
  for (let id = 0; id < values.length; id++) {
    const value = values[id]!
    if (size === ids.length) {
      // A later one of equals comes after those that are here.
      if (size === 0 || value <= values[ids[size - 1]!]!) continue
      size--
    }
    let at = size++
    for (; at > 0 && value > values[ids[at - 1]!]!; at--) ids[at] = ids[at - 1]!
    ids[at] = id
  }
  return ids
}

/** All of them, by their digits from the last to the first: indices of equals stay in their order. */
function sorted(values: Float32Array): Int32Array {
  const digits = digitsOf(values)
  let from = new Int32Array(values.length)
  for (let id = 0; id < from.length; id++) from[id] = id
  let to = new Int32Array(values.length)
  for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
    const starts = startsOf(digits, shift)
    for (let at = 0; at < from.length; at++) {
      const id = from[at]!
      const digit = (digits[id]! >>> shift) & DIGIT_MASK
      to[starts[digit]!++] = id
    }
    ;[from, to] = [to, from]
  }
  return from
}

/** A word for each value, smaller for what comes earlier. */
function digitsOf(values: Float32Array): Uint32Array {
  const words = new Uint32Array(values.length)
  const floats = new Float32Array(words.buffer)
  for (let id = 0; id < words.length; id++) {
    // + 0 makes 0 of −0. Magnitudes of negative values grow as the values fall.
    floats[id] = values[id]! + 0
    const word = words[id]!
    words[id] = word >>> 31 === 1 ? word : ~word & 0x7fff_ffff
  }
  return words
}

/** Where the indices of each digit begin. */
function startsOf(digits: Uint32Array, shift: number): Int32Array {
  const starts = new Int32Array(DIGIT_MASK + 2)
  for (let id = 0; id < digits.length; id++) starts[((digits[id]! >>> shift) & DIGIT_MASK) + 1]!++
  for (let digit = 1; digit < starts.length; digit++) starts[digit]! += starts[digit - 1]!
  return starts
}
