/**
 * Node's HTTP as the control plane uses it. Got by a call: an `import` reads every export of the module, and reading three of them loads
 * the web's `fetch` and sockets, which is a sixth of what a short command takes. Spec: docs/spec/control.md §1.
 * @module
 */

/** The only interface that is ever listened on. */
export const CONTROL_HOST = '127.0.0.1'

export const http: typeof import('node:http') = process.getBuiltinModule('node:http')
