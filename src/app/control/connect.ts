/**
 * From a node's folder to calls to the node: is there one, does it still run, may we talk to it.
 * Spec: docs/spec/control.md §7.
 * @module
 */
import { isRunning } from '../devnet/process.ts'
import { type ControlClient, createControlClient } from './control-client.ts'
import { readCookie } from './control-cookie.ts'
import { NodeFolderError } from './control-errors.ts'
import type { MethodShapes } from './methods.ts'
import { type NodeFile, readNodeFile } from './node-file.ts'

export interface ConnectedNode<M extends MethodShapes<M>> extends ControlClient<M> {
  /** What the node wrote down when it started. */
  readonly node: NodeFile
}

/**
 * A client of the node that runs in `folder`. Nothing is sent yet.
 * @throws NodeFolderError NODE_NOT_RUNNING, NODE_STALE after a crash, NODE_COOKIE_UNREADABLE, NODE_FILE_BAD.
 */
export async function connectToNode<M extends MethodShapes<M>>(folder: string): Promise<ConnectedNode<M>> {
  const node = await readNodeFile(folder)
  if (node === undefined) {
    const message = `No node runs in ${folder}. Start it with \`dllm node\`.`
    throw new NodeFolderError('NODE_NOT_RUNNING', message, { details: { folder } })
  }
  // Any process with this pid counts: that another one took it over shows at the first call (CONTROL_UNREACHABLE).
  if (!(await isRunning(node.pid, ''))) {
    const message = `The node in ${folder} ended without a word. Start it again with \`dllm node\`.`
    throw new NodeFolderError('NODE_STALE', message, { details: { folder, pid: node.pid } })
  }
  const cookie = await readCookie(folder)
  return { ...createControlClient<M>({ endpoint: { port: node.port }, cookie }), node }
}
