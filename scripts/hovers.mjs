/**
 * Tests the types that editors show when you hover over the main values. `types/hovers/values.ts` points at the values;
 * `types/hovers/expected.txt` has the text for each TypeScript. `node scripts/hovers.mjs --update` rewrites that file.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { editors } from './editor.mjs'

const file = fileURLToPath(new URL('../types/hovers/values.ts', import.meta.url))
const snapshot = fileURLToPath(new URL('../types/hovers/expected.txt', import.meta.url))
const places = readFileSync(file, 'utf8')
  .split(/\r?\n/)
  .flatMap((text, i) => (/^\/\/ +\^$/.test(text) ? [[i, text.indexOf('^') + 1]] : []))

const byVersion = await Promise.all(
  Object.entries(editors).map(async ([version, start]) => {
    const server = await start()
    await server.open(file)
    const hovers = []
    for (const [line, column] of places) hovers.push(await server.hover(file, line, column))
    server.close()
    return [version, hovers]
  }),
)
/** The hover of each place; versions that show the same text share a line. */
const reports = places.map((_, i) => {
  const texts = [...new Set(byVersion.map(([, hovers]) => hovers[i]))]
  const by = (text) => byVersion.flatMap(([version, hovers]) => (hovers[i] === text ? [version] : []))
  return texts.map((text) => (texts.length === 1 ? text : `[${by(text)}] ${text}`)).join('\n')
})
const now = `${reports.join('\n\n')}\n`
if (process.argv.includes('--update')) writeFileSync(snapshot, now)
const before = readFileSync(snapshot, 'utf8').replaceAll('\r\n', '\n')
const expected = before.trimEnd().split('\n\n')
const failures = reports.filter((text) => !expected.includes(text))
for (const text of failures) console.error(`got  ${text}`)
console.log(`${reports.length} hovers, ${failures.length} that differ`)
process.exitCode = now === before ? 0 : 1
