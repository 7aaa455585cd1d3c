/**
 * Failures of the control plane, on both ends of the socket. Each has one code and one sentence here, so that the
 * server, the client and their tests say the same. Sentences and details never hold the cookie, a body or a parameter's
 * value. Spec: docs/spec/control.md §5.
 * @module
 */
import { HouseError, type HouseErrorOptions } from '../../base/error.ts'

const SENTENCES = {
  CONTROL_HOST_REFUSED: 'The Host header must be 127.0.0.1 or localhost: the node answers this machine only.',
  CONTROL_ORIGIN_REFUSED: 'The node does not answer web pages. Call it from a program on this machine.',
  CONTROL_PATH_UNKNOWN: 'There is one path, /. Post the request there.',
  CONTROL_POST_ONLY: 'Only POST is answered. Post a JSON-RPC 2.0 request.',
  CONTROL_UNAUTHORIZED:
    'The cookie is missing or not the one of this run of the node. Send `Authorization: Bearer` with the content of control.cookie in the node’s folder; it is new at every start.',
  CONTROL_JSON_ONLY: 'The body must be plain application/json.',
  CONTROL_BODY_TOO_LARGE: 'The body is over the limit. Send less at once.',
  CONTROL_BUSY: 'The node has as many requests open as it takes. Try again when some have ended.',
  CONTROL_STOPPING: 'The node is stopping. Start it again with `dllm node`.',
  CONTROL_DISCONNECTED: 'The client went away.',
  CONTROL_TOO_DEEP: 'The JSON is nested too deeply.',
  CONTROL_BATCH_TOO_LARGE: 'The batch has too many requests. Send it in parts.',
  CONTROL_STREAM_ALONE: 'A streaming method cannot be part of a batch. Post it alone, with an id.',
  CONTROL_REPLY_TOO_LARGE: 'The answer is over the limit. Ask for less at once.',
  CONTROL_STREAM_SLOW: 'The stream ended because its reader is too far behind. Open it again and read faster.',
  CONTROL_UNREACHABLE: 'The node does not answer or went away. See its log, or start it with `dllm node`.',
  CONTROL_TIMEOUT: 'The node did not answer in time. See its log, or start it again with `dllm node`.',
  CONTROL_METHOD_UNKNOWN: 'The node does not know this method. Run the same version of dllm on both sides.',
  CONTROL_NODE_BUG: 'The node found a bug in itself while it answered. Its log says where.',
  CONTROL_BAD_REPLY: 'What answered is not a node of this program, or has another version.',
  CONTROL_LISTEN_FAILED: 'The control port cannot be opened. Choose another one, or 0 for any.',
} as const

export type ControlCode = keyof typeof SENTENCES

export class ControlError extends HouseError<ControlCode> {}

/** A ControlError with the sentence of its code. */
export function controlError(code: ControlCode, options: HouseErrorOptions = {}): ControlError {
  return new ControlError(code, SENTENCES[code], options)
}

/** A parameter of a call is missing, wrong, or not one of the method's; `details.param` names it. */
export class ParamError extends HouseError<'PARAM_MISSING' | 'PARAM_BAD' | 'PARAM_UNKNOWN'> {}

/** There is no node to talk to in a folder, or no right to. */
export class NodeFolderError extends HouseError<
  'NODE_NOT_RUNNING' | 'NODE_STALE' | 'NODE_COOKIE_UNREADABLE' | 'NODE_FILE_BAD'
> {}

/** A failure that the node reported: its code, its sentence, its details. */
export class NodeError extends HouseError {}
