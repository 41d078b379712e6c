/**
 * Recognises errors and plain objects without `instanceof`: a test runner's sandbox (jest, vitest's `vmThreads`) has its
 * own classes, and Node's errors are not instances of them.
 *
 * @module
 */

/** Whether this is an object literal, of any realm: what it inherits from inherits from nothing. */
export const isPlainObject = (u: unknown): u is Readonly<Record<string, unknown>> => {
  const prototype: unknown = typeof u === 'object' && u !== null ? Object.getPrototypeOf(u) : null
  return prototype !== null && Object.getPrototypeOf(prototype) === null
}

/** The message of an error of any realm, or the value as text. */
export const messageOf = (thrown: unknown): string =>
  typeof thrown === 'object' && thrown !== null && 'message' in thrown ? String(thrown.message) : String(thrown)

/** The code of an error of Node, such as `ENOENT`; undefined for other values. */
export const codeOf = (thrown: unknown): string | undefined =>
  typeof thrown === 'object' && thrown !== null && 'code' in thrown ? String(thrown.code) : undefined

/**
 * Whether an import failed because this package is not installed, as Node, Yarn's Plug'n'Play, jest, ts-node, bundlers and
 * browsers report it. An installed package that lacks one of its own dependencies is not missing.
 */
export const isMissingPackage = (name: string, thrown: unknown): boolean => {
  const message = messageOf(thrown)
  const unresolved =
    /^(ERR_)?MODULE_NOT_FOUND$/.test(codeOf(thrown) ?? '') ||
    /^(Could not resolve "|Cannot find (module|package) '|Failed to resolve module specifier ['"])/.test(message)
  return unresolved && [`'${name}'`, `"${name}"`, `tried to access ${name} `].some((text) => message.includes(text))
}
