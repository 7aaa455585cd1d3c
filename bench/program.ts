/**
 * The program as users start it: bin/run.js with the built files of dist/.
 * @module
 */
import { join } from 'node:path'

export const PROGRAM: string = join(import.meta.dirname, '../bin/run.js')
