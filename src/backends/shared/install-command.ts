/**
 * The command that installs a package for a program in Node.
 *
 * @module
 */

/**
 * Without install scripts, by the package manager that installed diffeo: npm fails in a project of pnpm, and Yarn's
 * Plug'n'Play looks at Yarn's own packages alone. `path` is that of a module of diffeo.
 */
export const installCommand = (spec: string, path: string, isPlugAndPlay = 'pnp' in process.versions): string =>
  path.includes('/node_modules/.pnpm/')
    ? `pnpm add ${spec} --ignore-scripts`
    : isPlugAndPlay
      ? `yarn add ${spec} --mode=skip-build`
      : `npm install ${spec} --ignore-scripts`
