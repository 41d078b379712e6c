/**
 * The same five tasks with diffeo, zuko and flowjax: runs each program in its own environment, counts its lines and imported
 * names, and writes docs/explanation/compared.md.
 *
 *     npm run build && node bench/compared.mjs [--update]      # --page writes the page without running the programs
 *
 * Needs `bench/peers/.venv` (`bash bench/peers/setup.sh`) with `pip install zuko flowjax scikit-learn`.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const at = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url))
const python = at('peers/.venv/bin/python')
const sides = {
  diffeo: { file: 'with-diffeo.mjs', language: 'ts', program: process.execPath },
  zuko: { file: 'with_zuko.py', language: 'python', program: python },
  flowjax: { file: 'with_flowjax.py', language: 'python', program: python },
}
const titles = {
  density: 'Train a density on points and evaluate it',
  sample: 'Draw samples',
  conditional: 'Train a conditional density',
  save: 'Save and load',
  variational: 'Fit a flow to an energy',
}

/** The code of each task, between its comment and the next. */
export const tasksOf = (/** @type {string} */ text) =>
  Object.fromEntries(
    [...text.matchAll(/^(?:\/\/|#) task: (\w+)\n([\s\S]*?)(?=^(?:\/\/|#) (?:task|end))/gm)].map(([, name, code]) => [
      name,
      code.trimEnd(),
    ]),
  )
const importsIn = (/** @type {string} */ code) =>
  code.split('\n').flatMap((line) => {
    if (!/^(import|from) /.test(line)) return []
    const [, names = ''] = /(?:import \{([^}]*)\}|import (.*))$/.exec(line)?.map((part, i) => (i > 0 ? part : '')) ?? []
    return (names || line.replace(/.*import /, '')).split(',')
  }).length
const linesIn = (/** @type {string} */ code) => code.split('\n').filter((line) => line.trim() !== '').length

const texts = Object.entries(sides).map(([name, side]) => ({
  name,
  ...side,
  tasks: tasksOf(readFileSync(at(`compared/${side.file}`), 'utf8')),
}))

/** Runs a program in a folder of its own. */
const run = ({ name, file, program }) => {
  const folder = mkdtempSync(join(tmpdir(), 'diffeo-compared-'))
  const { status, stdout, stderr } = spawnSync(program, [at(`compared/${file}`)], { cwd: folder, encoding: 'utf8' })
  rmSync(folder, { recursive: true })
  const ran = [...stdout.matchAll(/^(\w+) \S+$/gm)].map(([, task]) => task)
  if (status !== 0 || ran.join() !== Object.keys(titles).join()) throw new Error(`${name}: ${stderr || stdout}`)
  return stdout.trim()
}

const table = [
  `| task | ${texts.map(({ name }) => name).join(' | ')} |`,
  `| --- | ${texts.map(() => '---').join(' | ')} |`,
  ...Object.entries(titles).map(
    ([task, title]) =>
      `| ${title} | ${texts.map(({ tasks }) => `${linesIn(tasks[task])} lines, ${importsIn(tasks[task])} imports`).join(' | ')} |`,
  ),
].join('\n')

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (!process.argv.includes('--page')) for (const side of texts) console.log(`${side.name}\n${run(side)}`)
  console.log(table)
  if (process.argv.includes('--update') || process.argv.includes('--page')) {
    const path = at('../docs/explanation/compared.md')
    const page = readFileSync(path, 'utf8')
    const code = Object.entries(titles).map(
      ([task, title]) =>
        `### ${title}\n\n${texts.map(({ name, language, tasks }) => `${name}:\n\n\`\`\`${language === 'ts' ? 'js' : language}\n${tasks[task]}\n\`\`\``).join('\n\n')}`,
    )
    const head = page.slice(0, page.indexOf('## Five tasks'))
    writeFileSync(
      path,
      `${head}## Five tasks\n\n\`node bench/compared.mjs\` runs these programs and counts their lines and imported names.\n\n${table}\n\n${code.join('\n\n')}\n`,
    )
  }
}
