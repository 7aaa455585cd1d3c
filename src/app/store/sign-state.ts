/**
 * The file that keeps a validator from signing twice: every signature is on disk before it is given out, so no crash
 * makes the key forget. Decides nothing itself (core/consensus/sign-guard.ts) and holds no secret key.
 * Two processes must not use one file: the node opens its store first, which only one process can.
 * Spec: docs/spec/store.md §5.
 * @module
 */
import {
  maySign,
  raiseTo,
  recordSigned,
  type SignIdentity,
  type SignPosition,
  type SignRequest,
  type SignState,
  SignStateError,
} from '../../core/consensus/sign-guard.ts'
import { exportSignState, readInterchange } from '../../core/consensus/sign-interchange.ts'
import { decodeSignState, encodeSignState } from '../../core/consensus/sign-record.ts'
import type { Disk } from './disk.ts'
import { createSerial } from './serial.ts'

const FILE = 'sign-state'

export interface SignStateFile {
  /** What is on disk. */
  state(): SignState
  /**
   * The signature of a request: the one given before when it is asked for again, else `sign(digest)`, given out only
   * once it is on disk. Requests are answered one after the other.
   * @throws SignStateError DOUBLE_SIGN_REFUSED; StoreError when it could not be written, and then nothing was given out.
   */
  sign(request: SignRequest, sign: (digest: Uint8Array) => Uint8Array): Promise<Uint8Array>
  /** The interchange text of this key. */
  export(): string
  /**
   * Refuses from now on what the interchange text says was signed, and all before it. Gives whether that changed anything.
   * @throws SignStateError SIGN_INTERCHANGE_INVALID, SIGN_STATE_FOREIGN.
   */
  import(text: string): Promise<boolean>
  /**
   * Refuses from now on the position and all before it, for a node that lost its journal and no longer knows what it
   * promised at that height. Gives whether that changed anything.
   */
  raise(position: SignPosition): Promise<boolean>
}

/**
 * The state of a key that has signed before, or was created.
 * @throws SignStateError SIGN_STATE_MISSING, SIGN_STATE_DAMAGED, SIGN_STATE_FOREIGN.
 */
export async function openSignState(disk: Disk, identity: SignIdentity): Promise<SignStateFile> {
  const bytes = await disk.read(FILE)
  if (bytes === undefined) {
    const message =
      'The sign-state file of this validator is missing, so nobody knows what its key has signed. Restore it from a backup of the machine where the key was used; for a key that never signed, create it with `dllm node --new-key`.'
    throw new SignStateError('SIGN_STATE_MISSING', message)
  }
  return createFile(disk, decodeSignState(bytes, identity))
}

/** The first state of a key that never signed anything, anywhere. @throws SignStateError SIGN_STATE_EXISTS. */
export async function createSignState(disk: Disk, identity: SignIdentity): Promise<SignStateFile> {
  if ((await disk.read(FILE)) !== undefined) {
    const message =
      'There is a sign-state file already. Start without creating one; if it belongs to another key, use another data folder with --home.'
    throw new SignStateError('SIGN_STATE_EXISTS', message)
  }
  const { networkId, publicKey } = identity
  const state: SignState = { networkId, publicKey: publicKey.slice(), last: undefined }
  await disk.replace(FILE, encodeSignState(state))
  return createFile(disk, state)
}

function createFile(disk: Disk, first: SignState): SignStateFile {
  const serial = createSerial()
  let state = first

  /** What could not be written is not known, though it may be on disk: it was not given out either. */
  const keep = async (next: SignState): Promise<void> => {
    await disk.replace(FILE, encodeSignState(next))
    state = next
  }
  const raise = async (position: SignPosition): Promise<boolean> => {
    const next = raiseTo(state, position)
    if (next === state) return false
    await keep(next)
    return true
  }

  return {
    state: () => state,
    sign: (request, sign) =>
      serial(async () => {
        const decision = maySign(state, request)
        if (decision.type === 'again') return decision.signature.slice()
        if (decision.type === 'refuse') throw refused(state, request, decision.reason)
        const signature = sign(request.digest)
        await keep(recordSigned(state, request, signature))
        return signature
      }),
    export: () => exportSignState(state),
    import: (text) =>
      serial(async () => {
        const position = readInterchange(text, state)
        return position === undefined ? false : raise(position)
      }),
    raise: (position) => serial(() => raise(position)),
  }
}

function refused(state: SignState, { height, round, step }: SignRequest, reason: string): SignStateError {
  const message = `This key has signed something else at height ${height}, round ${round}, ${step} or later, so it does not sign that. If this happens again and again, make sure that no other machine uses the key.`
  const { last } = state
  const details = {
    height,
    round,
    step,
    reason,
    lastHeight: last?.height,
    lastRound: last?.round,
    lastStep: last?.step,
  }
  return new SignStateError('DOUBLE_SIGN_REFUSED', message, { details })
}
