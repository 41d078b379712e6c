/** The pages of the site: which files of the repository they are, and their addresses. */
const named = {
  'site/index.md': 'index.md',
  'site/playground.md': 'playground.md',
  'README.md': 'overview.md',
  'CHANGELOG.md': 'changelog.md',
  'CONTRIBUTING.md': 'contributing.md',
  'bench/README.md': 'benchmark.md',
  'bench/measurements.md': 'measurements.md',
  'test/README.md': 'mutation-scores.md',
}

/** The path of a file's page in the site, by the file's path in the repository. */
export const rewrite = (file) => named[file] ?? file.replace(/^(docs|site\/generated)\//, '')

/** Files that are no pages. */
export const excluded = ['{src,types,scripts,dist,runs,release,coverage,data}/**', 'docs/api/**', '.*/**']

/** The address of the page of a file; undefined if it has none. */
export const addressOf = (file) => {
  const example = /^examples\/(\d\d-[\w-]+)\.ts$/.exec(file)
  if (example !== null) return `examples/${example[1]}`
  return file in named || /^docs\/.*\.md$/.test(file) ? rewrite(file).replace(/\.md$/, '') : undefined
}
