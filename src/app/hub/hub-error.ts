/**
 * HubError: what can go wrong with a repository of models that is fetched by name. Spec: docs/spec/model.md §11.
 * @module
 */
import { HouseError } from '../../base/error.ts'

export type HubErrorCode =
  /** No repository name, revision, file or mirror. */
  | 'HUB_BAD_NAME'
  | 'HUB_NOT_FOUND'
  /** A token is missing, or is not enough. */
  | 'HUB_FORBIDDEN'
  /** It asks to come back later than anybody waits for. */
  | 'HUB_BUSY'
  | 'HUB_UNREACHABLE'
  /** It said something that the API does not have: a web page, other bytes than it announced. */
  | 'HUB_BAD_ANSWER'
  /** A file that is not what the repository lists. */
  | 'HUB_WRONG_HASH'
  /** No weights, or several models of which none was named. */
  | 'HUB_NO_MODEL'
  /** Another process downloads the same repository. */
  | 'HUB_IN_USE'

export class HubError extends HouseError<HubErrorCode> {}
