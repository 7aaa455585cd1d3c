/**
 * The program's version, as package.json says; a test holds the two together.
 * @module
 */

export const VERSION = '0.1.0'
