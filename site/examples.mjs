/** Writes a page for each program of `examples/`: its header as text, then its code. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const at = (path) => fileURLToPath(new URL(path, import.meta.url))

export const examples = {
  '01-two-moons': 'Two moons',
  '02-shape-errors': 'Shape errors',
  '03-inverse-transform-sampling': 'Inverse transform sampling',
  '04-real-nvp-mnist': 'Real NVP on images',
  '05-own-bijector': 'Your own bijector and its laws',
  '06-export-onnx': 'Export to ONNX',
  '07-posterior': 'A posterior',
  '08-variational': 'Variational inference',
  '09-class-conditional': 'Class-conditional digits',
  '10-table': 'Density of a table',
  '11-anomalies': 'Anomalies',
}

const pageOf = (name, source) => {
  const [header, comment] = /^\/\*\*\n(.*?)\n \*\/\n/s.exec(source)
  // the page shows the errors that the comments of this one hide
  const text = comment.replace(/^ \* ?/gm, '').replace(/Each `@ts-expect-error`.*?next line\.\s/s, '')
  // the mistakes of an example are shown with the compiler's own words
  const code = source.slice(header.length).replace(/^.*@ts-expect-error .*\n/gm, '')
  return `# ${examples[name]}\n\n${text}\n\n\`\`\`ts${code.length < source.length - header.length ? ' errors' : ''}\n${code}\`\`\`\n`
}

export const writeExamples = () => {
  mkdirSync(at('generated/examples'), { recursive: true })
  for (const file of readdirSync(at('../examples')).filter((name) => /^\d\d-.*\.ts$/.test(name))) {
    const name = file.replace(/\.ts$/, '')
    writeFileSync(at(`generated/examples/${name}.md`), pageOf(name, readFileSync(at(`../examples/${file}`), 'utf8')))
  }
}
