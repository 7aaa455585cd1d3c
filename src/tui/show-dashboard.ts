/**
 * The dashboard in this process's terminal, on its second screen, so that the first is as before when it ends.
 * @module
 */
import { render } from 'ink'
import { createElement } from 'react'
import type { DashboardStore } from '../app/dashboard/store.ts'
import { Dashboard } from './dashboard.tsx'
import type { Leaving } from './leaving.ts'

export interface Showing {
  readonly store: DashboardStore
  readonly signal: AbortSignal
  /** `process.env.NO_COLOR` is empty. */
  readonly hasColor: boolean
}

/** Resolves when the person leaves; the terminal is restored by then. @throws the signal's reason; a bug of the store. */
export async function showDashboard({ store, signal, hasColor }: Showing): Promise<Leaving> {
  const leaving = new AbortController()
  let left: Leaving = 'quit'
  const onLeave = (how: Leaving): void => {
    left = how
    leaving.abort()
  }
  const screen = render(createElement(Dashboard, { store, hasColor, onLeave }), {
    // The environment of a build server must not take the screen away from a person.
    interactive: true,
    alternateScreen: true,
    incrementalRendering: true,
    exitOnCtrlC: false,
  })
  try {
    await store.run(AbortSignal.any([signal, leaving.signal]))
  } finally {
    screen.unmount()
    await screen.waitUntilExit()
  }
  signal.throwIfAborted()
  return left
}
