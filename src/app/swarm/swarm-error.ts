/**
 * What can go wrong when files are fetched from peers.
 * @module
 */
import { HouseError } from '../../base/error.ts'

export class SwarmError extends HouseError<
  | 'SWARM_NO_PEER' // nobody who could be asked has any of it
  | 'SWARM_INCOMPLETE' // those who were asked do not have all of it
  | 'SWARM_NO_MODEL' // nobody knows a model of this name
  | 'SWARM_AMBIGUOUS_MODEL' // several models have this name
  | 'SWARM_NAME_TAKEN' // another model has this name here
> {}
