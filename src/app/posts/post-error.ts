/**
 * Why a miner cannot serve what it is to serve.
 * @module
 */
import { HouseError } from '../../base/error.ts'

export class PostError extends HouseError<'POST_NO_MEMORY' | 'POST_CANARY_FAILED'> {}
