/**
 * How a person leaves the dashboard.
 * @module
 */

/** By its key, or by Ctrl-C. */
export type Leaving = 'quit' | 'interrupted'
