/** See bundle.js. `root`: of the package, with a slash at its end. */
export function stampNow(root?: URL): string
/** See bundle.js. */
export function freshBundle(root?: URL): string | undefined
