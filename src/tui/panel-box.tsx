/**
 * One panel: a frame with its title, and lines. The one with the focus has a double frame and a mark, so that it can be
 * told without colour.
 * @module
 */
import { Box, Text } from 'ink'
import type { ReactElement } from 'react'
import type { Panel } from '../app/dashboard/panels.ts'
import { fitPanel } from './fit.ts'

/** Two borders and a space beside each. */
const FRAME_COLUMNS = 4
const FRAME_ROWS = 2

export interface PanelBoxProps {
  readonly panel: Panel
  /** Outer size. */
  readonly columns: number
  readonly rows: number
  readonly isFocused: boolean
  readonly hasColor: boolean
}

export function PanelBox({ panel, columns, rows, isFocused, hasColor }: PanelBoxProps): ReactElement {
  const lines = fitPanel(panel, { columns: columns - FRAME_COLUMNS, rows: rows - FRAME_ROWS })
  const color = hasColor && isFocused ? { color: 'cyan' } : {}
  const borderColor = hasColor && isFocused ? { borderColor: 'cyan' } : {}
  return (
    <Box flexDirection="column" width={columns} height={rows}>
      <Text {...color} bold={isFocused}>
        {topLine(panel.title, columns, isFocused)}
      </Text>
      <Box
        flexDirection="column"
        borderStyle={isFocused ? 'double' : 'single'}
        borderTop={false}
        {...borderColor}
        height={rows - 1}
        paddingX={1}
      >
        {lines.map((line, index) => (
          // Lines have no identity but their place.
          <Text key={`${panel.title} ${String(index)}`} wrap="truncate">
            {line === '' ? ' ' : line}
          </Text>
        ))}
      </Box>
    </Box>
  )
}

function topLine(title: string, columns: number, isFocused: boolean): string {
  const [left, line, right] = isFocused ? ['╔', '═', '╗'] : ['┌', '─', '┐']
  const head = `${left}${line} ${isFocused ? '▸ ' : ''}${title} `
  return head + line.repeat(Math.max(columns - head.length - 1, 0)) + right
}
