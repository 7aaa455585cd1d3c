/**
 * What TF.js can run on, by name: apart from what loads it, for flags. Spec: docs/spec/float.md §3.
 * @module
 */

/** The default first. */
export const TFJS_BACKENDS = ['wasm', 'cpu', 'webgpu', 'tensorflow'] as const
export type TfjsBackend = (typeof TFJS_BACKENDS)[number]
