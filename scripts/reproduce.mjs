/**
 * `npm run reproduce`: trains the runs that `docs/results.md` tells of and writes that page from their own folders.
 *
 *     npm run reproduce                      every row that is not there yet, in the time that its command says
 *     npm run reproduce -- --rows moons,mnist
 *     npm run reproduce -- --rows none       only the page, from the runs that are there
 *     npm run reproduce -- --fresh           trains again what is there
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const cifar = process.env['CIFAR10'] ?? '../shared/data/cifar10'

/** @type {readonly { name: string, title: string, goal: string, command: string }[]} */
const rows = [
  ...[
    ['moons', 'two moons, σ = .05', '0.05'],
    ['circles', 'circles', '0.10'],
    ['eight-gaussians', 'eight Gaussians', '0.05'],
    ['correlated-normal', 'correlated normal', '0.01'],
  ].map(([name = '', title = '', goal]) => ({
    name,
    title,
    goal: `floor + ${goal}`,
    command: `train ${name} --transformer spline --couplings 4 --minutes 3 --seed 0`,
  })),
  { name: 'mnist', title: 'MNIST', goal: '1.40', command: 'train mnist --minutes 15 --seed 0' },
  {
    name: 'fashion-mnist',
    title: 'Fashion-MNIST',
    goal: '2.96 (Glow)',
    command: 'train fashion-mnist --minutes 55 --seed 0',
  },
  { name: 'cifar10', title: 'CIFAR-10', goal: '4.1', command: `train cifar10 --data ${cifar} --minutes 85 --seed 0` },
]

const { values: flags } = parseArgs({
  options: {
    rows: { type: 'string' },
    fresh: { type: 'boolean', default: false },
    out: { type: 'string', default: 'runs/reproduce' },
  },
})
const asked = flags.rows?.split(',') ?? rows.map(({ name }) => name)
const folderOf = (/** @type {string} */ name) => join(flags.out, name)
const fileIn = (/** @type {string} */ name, /** @type {string} */ file) => join(folderOf(name), file)

for (const { name, command } of rows.filter((row) => asked.includes(row.name))) {
  if (existsSync(fileIn(name, 'evaluation.json'))) {
    if (!flags.fresh) continue
    rmSync(folderOf(name), { recursive: true })
  }
  console.log(`\ndiffeo ${command}`)
  const resume = existsSync(fileIn(name, 'last.safetensors')) ? ['--resume'] : []
  spawnSync(process.execPath, ['dist/src/cli/main.js', ...command.split(' '), '--out', folderOf(name), ...resume], {
    stdio: 'inherit',
  })
}

const json = (/** @type {string} */ path) => JSON.parse(readFileSync(path, 'utf8'))
const done = rows
  .filter(({ name }) => existsSync(fileIn(name, 'evaluation.json')))
  .map((row) => ({ ...row, about: json(fileIn(row.name, 'about.json')).at(-1) }))
const table = done.map(({ name, title, goal, about }) => {
  const { mean, worst, unit, count, step, floor } = json(fileIn(name, 'evaluation.json'))
  const { recipe } = json(fileIn(name, 'config.json'))
  const { time } = JSON.parse(readFileSync(fileIn(name, 'metrics.jsonl'), 'utf8').trim().split('\n').at(-1) ?? '{}')
  const above = floor === undefined ? '' : ` (floor ${floor.toFixed(3)} + ${(mean - floor).toFixed(3)})`
  return [
    title,
    `${mean.toFixed(3)} ${unit}${above}`,
    goal,
    `${worst.toFixed(2)} of ${count}`,
    `${step} of ${recipe.steps} in ${(time / 60).toFixed(1)} min`,
    `\`npx ${about.command.replace(/ --out \S+/, '')}\``,
  ]
})
const peers = done.flatMap(({ name, title }) => {
  if (!existsSync(fileIn(name, 'equal.json'))) return []
  const { peer, steps, count, ours, pytorch, difference, ms } = json(fileIn(name, 'equal.json'))
  // of a run that went on since then it says nothing
  if (steps !== json(fileIn(name, 'evaluation.json')).step) return []
  return [
    `${title}, the same model trained by PyTorch (${peer}) on the same batches for ${steps} steps: ${pytorch.toFixed(3)} bits/dim on ` +
      `${count} images, ours ${ours.toFixed(3)}, difference ${difference.toFixed(4)}; a step takes it ${ms.pytorch.toFixed(0)} ms, ours ` +
      `${ms.ours.toFixed(0)} ms, by turns (\`node bench/equal.mjs ${folderOf(name)}\`).\n\n`,
  ]
})
const machines = new Set(done.map(({ about: a }) => `${a.engine}; ${a.versions}; ${a.began.slice(0, 10)}`))
const head = ['', 'test', 'goal', 'worst', 'steps', 'command']
const line = (/** @type {readonly string[]} */ cells) => `| ${cells.join(' | ')} |`
writeFileSync(
  'docs/results.md',
  `# Results

Made by \`npm run reproduce\` from the folders of the runs, not by hand. Test figures are means in evaluation mode with the
averaged parameters, on all test examples at hand; the worst single example stands beside them. A budget in minutes is
turned into a number of steps at the end of the warm-up: a run that got fewer was on a machine with other work, and its
learning rate had not come down yet.

${[line(head), line(head.map(() => '---')), ...table.map(line)].join('\n')}

${peers.join('')}${[...machines].join('\n')}
`,
)
console.log('docs/results.md')
