/**
 * Drafts by looking up: what followed the last time that the text ended like this. An index over all tokens of one session, which grows by a token in
 * constant time: chains of places with the same two last tokens, of which the longest suffix wins, and of equal ones the latest. Knows no model.
 * Spec: docs/spec/wire.md §4.9.
 * @module
 */

/** What may come next. */
export interface Draft {
  readonly tokens: readonly number[]
  /** How many tokens before them are the same as where they were found. */
  readonly match: number
}

export interface DraftIndex {
  /** Tokens that it knows, from position 0 on. */
  readonly length: number
  /** Forgets what stands from `length` on. Positions that it was never told of are unlike any token. */
  cut(length: number): void
  append(token: number): void
  /** Its tokens from a position on; -1 for those that it was never told of. */
  from(position: number): Int32Array
  /** At most `count` tokens that may follow the last one; none where nothing like it was seen. */
  propose(count: number): Draft
}

/** Shorter suffixes say too little: in running text one token comes back all the time. */
const SUFFIX_MIN = 2
/** Longer ones say no more. */
const SUFFIX_MAX = 16
/** Places that are looked at, the latest first. */
const PLACES_MAX = 8
const HEADS_BITS = 12
const HEADS_BITS_MAX = 16
const FIRST_TOKENS = 256
const UNKNOWN = -1
const NO_DRAFT: Draft = { tokens: [], match: 0 }

/** `capacity`: of the session; memory is at most 8 bytes for each position and 256 KiB. */
export function createDraftIndex(capacity: number): DraftIndex {
  const bits = Math.min(HEADS_BITS_MAX, Math.max(HEADS_BITS, Math.ceil(Math.log2(capacity + 1))))
  /** By the hash of two tokens: the latest place after them, or 0. */
  const heads = new Int32Array(1 << bits)
  let tokens = new Int32Array(Math.min(capacity, FIRST_TOKENS))
  /** By place: the one before it of the same hash, or 0. */
  let before = new Int32Array(tokens.length)
  let length = 0

  const slotOf = (end: number): number => {
    const pair = Math.imul(tokens[end - 2]! + 1, 0x9e3779b1) ^ Math.imul(tokens[end - 1]! + 1, 0x85ebca6b)
    return Math.imul(pair ^ (pair >>> 15), 0xc2b2ae35) >>> (32 - bits)
  }
  const widen = (): void => {
    const wider = Math.min(capacity, 2 * tokens.length)
    const [moreTokens, moreBefore] = [new Int32Array(wider), new Int32Array(wider)]
    moreTokens.set(tokens)
    moreBefore.set(before)
    tokens = moreTokens
    before = moreBefore
  }
  const matchAt = (place: number): number => {
    let match = 0
    while (match < SUFFIX_MAX && match < place) {
      const token = tokens[length - 1 - match]
      if (token === UNKNOWN || tokens[place - 1 - match] !== token) break
      match++
    }
    return match
  }
  /** The place itself enters the chains with the token that follows it: the end of the text is not found as its own past. */
  const enter = (place: number): void => {
    if (place < SUFFIX_MIN) return
    const slot = slotOf(place)
    // After a cut a chain begins with places that are not there any more, or lies through such.
    let earlier = heads[slot]!
    for (let looked = 0; earlier >= place && looked < PLACES_MAX; looked++) earlier = before[earlier]!
    before[place] = earlier < place ? earlier : 0
    heads[slot] = place
  }
  const append = (token: number): void => {
    if (length >= capacity) return
    if (length === tokens.length) widen()
    enter(length)
    tokens[length++] = token
  }

  return {
    get length() {
      return length
    },
    cut(wanted) {
      while (length < wanted && length < capacity) append(UNKNOWN)
      length = Math.min(length, wanted)
    },
    append,
    from: (position) => tokens.slice(position, length),
    propose(count) {
      if (length < SUFFIX_MIN || count < 1) return NO_DRAFT
      let best = 0
      let longest = SUFFIX_MIN - 1
      let place = heads[slotOf(length)]!
      for (let looked = 0; looked < PLACES_MAX && place > 0; looked++) {
        const match = place < length ? matchAt(place) : 0
        if (match > longest) {
          longest = match
          best = place
        }
        place = before[place]!
      }
      if (best === 0) return NO_DRAFT
      // Where the past reaches the end it goes on with itself: a period repeats.
      const found: number[] = []
      for (let at = best; found.length < count; at++) {
        const token = at < length ? tokens[at]! : found[at - length]!
        if (token === UNKNOWN) break
        found.push(token)
      }
      return { tokens: found, match: longest }
    },
  }
}
