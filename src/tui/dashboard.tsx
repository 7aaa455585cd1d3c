/**
 * The dashboard on the screen: four panels in a grid, or one of them alone. Draws the store's view and nothing else.
 * Spec: docs/spec/cli.md §9.
 * @module
 */
import { Box, type Key, Text, useInput, useWindowSize } from 'ink'
import { type ReactElement, useState, useSyncExternalStore } from 'react'
import { howToStart, type Panel, panelsOf } from '../app/dashboard/panels.ts'
import type { DashboardStore } from '../app/dashboard/store.ts'
import type { Room } from './fit.ts'
import { HELP } from './help.ts'
import type { Leaving } from './leaving.ts'
import { PanelBox } from './panel-box.tsx'

export interface DashboardProps {
  readonly store: Pick<DashboardStore, 'view' | 'subscribe'>
  readonly hasColor: boolean
  readonly onLeave: (how: Leaving) => void
}

/** What the keys have chosen. */
interface Choice {
  readonly focus: number
  readonly page: 'all' | 'one' | 'help'
}

const COLUMNS_MIN = 80
const ROWS_MIN = 24
const PANELS = 4
/** A frame as high as the terminal would make ink clear it all at every change. */
const FREE_ROWS = 1
const HEAD_AND_FOOT_ROWS = 2

export function Dashboard({ store, hasColor, onLeave }: DashboardProps): ReactElement {
  const view = useSyncExternalStore(store.subscribe, store.view)
  const { columns, rows } = useWindowSize()
  const [choice, setChoice] = useState<Choice>({ focus: 0, page: 'all' })
  useInput((input, key) => {
    for (const pressed of pressedKeys(input, key)) {
      if (pressed === 'interrupt') return onLeave('interrupted')
      if (pressed === 'quit') return onLeave('quit')
      setChoice((before) => chosen(before, pressed))
    }
  })
  if (columns < COLUMNS_MIN || rows < ROWS_MIN) return <TooSmall columns={columns} rows={rows} />
  const room: Room = { columns, rows: rows - FREE_ROWS - HEAD_AND_FOOT_ROWS }
  const start = howToStart(view)
  return (
    <Box flexDirection="column" width={columns} height={rows - FREE_ROWS}>
      <Text bold wrap="truncate">
        {`dllm · network ${view.network} · model ${view.model}`}
      </Text>
      <Pages panels={panelsOf(view)} room={room} choice={choice} hasColor={hasColor} />
      <Text wrap="truncate">{start ?? 'q quit · Tab and arrows move · Enter one panel · ? help'}</Text>
    </Box>
  )
}

type Pressed = 'interrupt' | 'quit' | 'help' | 'all' | 'one' | 'next' | 'previous' | 'beside' | 'below'

const BY_CHARACTER: ReadonlyMap<string, Pressed> = new Map([
  ['q', 'quit'],
  ['?', 'help'],
  ['\t', 'next'],
  ['\r', 'one'],
  ['\u0003', 'interrupt'],
])

/** What was pressed; characters that were typed faster than this program reads come at once. */
function pressedKeys(input: string, key: Key): readonly Pressed[] {
  if (key.ctrl) return input === 'c' ? ['interrupt'] : []
  if (key.escape) return ['all']
  if (key.return) return ['one']
  if (key.tab) return [key.shift ? 'previous' : 'next']
  if (key.leftArrow || key.rightArrow) return ['beside']
  if (key.upArrow || key.downArrow) return ['below']
  return [...input].flatMap((character) => BY_CHARACTER.get(character) ?? [])
}

/** The next choice for a key. */
function chosen({ focus, page }: Choice, pressed: Pressed): Choice {
  if (pressed === 'help') return { focus, page: page === 'help' ? 'all' : 'help' }
  if (pressed === 'all') return { focus, page: 'all' }
  if (page === 'help') return { focus, page }
  if (pressed === 'one') return { focus, page: page === 'one' ? 'all' : 'one' }
  if (pressed === 'next') return { focus: (focus + 1) % PANELS, page }
  if (pressed === 'previous') return { focus: (focus + PANELS - 1) % PANELS, page }
  // Bit 0 of a panel's number is its column, bit 1 its row.
  return { focus: focus ^ (pressed === 'beside' ? 1 : 2), page }
}

interface PagesProps {
  readonly panels: readonly Panel[]
  readonly room: Room
  readonly choice: Choice
  readonly hasColor: boolean
}

function Pages({ panels, room, choice: { focus, page }, hasColor }: PagesProps): ReactElement {
  const alone = page === 'help' ? HELP : page === 'one' ? panels[focus] : undefined
  if (alone !== undefined) return <PanelBox panel={alone} {...room} isFocused hasColor={hasColor} />
  const left = Math.floor(room.columns / 2)
  const top = Math.floor(room.rows / 2)
  const cell = (index: number): ReactElement => (
    <PanelBox
      panel={panels[index]!}
      columns={index % 2 === 0 ? left : room.columns - left}
      rows={index < 2 ? top : room.rows - top}
      isFocused={index === focus}
      hasColor={hasColor}
    />
  )
  return (
    <>
      <Box>
        {cell(0)}
        {cell(1)}
      </Box>
      <Box>
        {cell(2)}
        {cell(3)}
      </Box>
    </>
  )
}

function TooSmall({ columns, rows }: Room): ReactElement {
  return (
    <Text>
      {`The dashboard needs ${COLUMNS_MIN} × ${ROWS_MIN}; this terminal has ${columns} × ${rows}. Make it larger, or press q and use \`dllm dashboard --once\`.`}
    </Text>
  )
}
