/** Every example runs, as a user runs it, in a folder of its own; the sentences of 02 are those of the compiler. */
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import ts from 'typescript'
import { expect, it } from 'vitest'

const run = promisify(execFile)
const example = async (name: string, ...args: readonly string[]) => {
  const folder = mkdtempSync(join(tmpdir(), 'diffeo-example-'))
  const { stdout } = await run(process.execPath, [resolve('dist/examples', `${name}.js`), ...args], { cwd: folder })
  return { stdout, made: (path: string) => existsSync(join(folder, path)) }
}

it('01-two-moons learns, measures and draws', async () => {
  const { stdout, made } = await example('01-two-moons', '200')
  const nll = Number(/test NLL (-?[\d.]+) nats; the floor is 0.289/.exec(stdout)?.[1])
  // 200 of its 2000 steps: far better than the 2.3 nats of a fitted normal, and not below the floor
  expect(nll).toBeGreaterThan(0.289)
  expect(nll).toBeLessThan(1.2)
  expect(made('runs/two-moons.png')).toBe(true)
})

it('02-shape-errors prints, for each mistake, the sentence that the compiler puts there', async () => {
  const { stdout } = await example('02-shape-errors')
  const source = readFileSync('examples/02-shape-errors.ts', 'utf8')
  const sentences = [...source.matchAll(/@ts-expect-error (.+)/g)].map(([, sentence]) => sentence!)
  expect(sentences).toHaveLength(5)
  const printed = stdout.split('\n').filter((line) => line.startsWith('  '))
  expect(printed).toHaveLength(5)
  sentences.forEach((sentence, i) => {
    expect(printed[i]).toContain(sentence)
  })
})

it('02-shape-errors has its sentences from the compiler, each on the line below its comment', () => {
  const file = resolve('examples/02-shape-errors.ts')
  const source = readFileSync(file, 'utf8')
  const bare = source.replaceAll('// @ts-expect-error ', '// ')
  const config = ts.getParsedCommandLineOfConfigFile(
    'tsconfig.json',
    {},
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => undefined },
  )!
  const host = ts.createCompilerHost(config.options)
  const own = host.getSourceFile
  host.getSourceFile = (name, language) =>
    resolve(name) === file ? ts.createSourceFile(name, bare, language) : own(name, language)
  const found = ts
    .createProgram([file], config.options, host)
    .getSemanticDiagnostics()
    .map((d) => ({
      line: d.file!.getLineAndCharacterOfPosition(d.start!).line,
      text: ts.flattenDiagnosticMessageText(d.messageText, ' '),
    }))
  expect(found).toHaveLength(5)
  const lines = source.split('\n')
  for (const { line, text } of found) expect(text).toContain(/@ts-expect-error (.+)/.exec(lines[line - 1]!)?.[1])
})

it('03-inverse-transform-sampling has the mean of its distribution, and its picture', async () => {
  const { stdout, made } = await example('03-inverse-transform-sampling')
  expect(Math.abs(Number(/mean ([\d.]+)/.exec(stdout)?.[1]) - 2 / 3)).toBeLessThan(0.03)
  expect(made('runs/inverse-transform-sampling.svg')).toBe(true)
})

it('10-table reads a CSV, and learns its density', async () => {
  const { stdout, made } = await example('10-table', '300')
  expect(stdout).toContain('rooms: integer')
  expect(stdout).toContain('id: left out (numbers its rows)')
  const [, usual, cheap] = /Bern: (-[\d.]+) at a rent of 1950, (-[\d.]+) at 600/.exec(stdout)!
  expect(Number(usual)).toBeGreaterThan(Number(cheap) + 3)
  expect(Math.abs(Number(/in Bern: ([\d.]+), 26/.exec(stdout)?.[1]) - 26)).toBeLessThan(3)
  expect(made('runs/flats.csv')).toBe(true)
})

it('11-anomalies finds broken machines', async () => {
  const { stdout } = await example('11-anomalies', '300')
  expect(Number(/ROC curve: ([\d.]+)/.exec(stdout)?.[1])).toBeGreaterThan(0.85)
})

it('04-real-nvp-mnist trains on the real images', async () => {
  const { stdout, made } = await example('04-real-nvp-mnist', '2', '50')
  expect(stdout).toContain('28×28×1 → 14×14×2, 14×14×2')
  expect(Number(/test ([\d.]+) bits\/dim on 50 images/.exec(stdout)?.[1])).toBeLessThan(7.5)
  expect(made('runs/mnist-by-hand.png')).toBe(true)
})

it('05-own-bijector obeys the laws, and its wrong version does not', async () => {
  const { stdout } = await example('05-own-bijector')
  expect(stdout).toContain('sinh obeys the laws')
  expect(stdout).toContain("breaks the mandatory law 'oppositeLogDets'")
})

it('07-posterior learns the posterior of a simulator', async () => {
  const { stdout } = await example('07-posterior', '500')
  const [, mine, exact] = /E log q\(θ \| x\) (-?[\d.]+), exact E log p\(θ \| x\) (-?[\d.]+)/.exec(stdout) ?? []
  expect(Math.abs(Number(mine) - Number(exact))).toBeLessThan(0.1)
  expect(stdout).toMatch(/posterior mean at x = \(1\.5, 0\.6, …\): \(0\.[67]\d,0\.[23]\d\)/)
})

it('08-variational finds the integral of a density', async () => {
  const { stdout } = await example('08-variational', '500')
  const [, elbo, logZ] = /ELBO (-?[\d.]+), log Z (-?[\d.]+), exact 2\.5310/.exec(stdout) ?? []
  expect(Math.abs(Number(logZ) - 2.531)).toBeLessThan(0.1)
  expect(Number(elbo)).toBeLessThan(Number(logZ) + 1e-3)
})

it('09-class-conditional trains with labels, classifies and draws each class', async () => {
  const { stdout, made } = await example('09-class-conditional', '4', '20')
  expect(stdout).toMatch(/bits\/dim without the class \d/)
  expect(stdout).toMatch(/bits\/dim given the class {3}\d/)
  expect(stdout).toMatch(/accuracy by Bayes' rule {4}[\d.]+ % of 20 images/)
  expect(made('runs/classes.png')).toBe(true)
})

// as many steps as no number says: no batch comes
it.each([
  ['01-two-moons', 'train: expected a whole number of steps from 1, got NaN'],
  ['04-real-nvp-mnist', 'fit at step 1: expected a'],
  ['06-export-onnx', 'fit at step 1: expected a'],
])('%s fails where its training does', async (name, sentence) => {
  const failed = await example(name, 'many').then(
    () => undefined,
    (reason: { readonly code: number; readonly stdout: string; readonly stderr: string }) => reason,
  )
  expect(failed?.code).toBeGreaterThan(0)
  expect(failed?.stderr).toContain(sentence)
  expect(failed?.stdout).not.toContain('test')
})

it('the first program of the README runs, in 12 lines', async () => {
  const [source = ''] = [...readFileSync('README.md', 'utf8').matchAll(/```ts\n(.*?)```/gs)]
    .map(([, code]) => code!)
    .filter((code) => code.startsWith('import'))
  expect(
    source
      .trim()
      .split('\n')
      .filter((line) => line !== '').length,
  ).toBeLessThanOrEqual(12)
  const file = resolve('dist/examples/readme-first.js')
  writeFileSync(file, source.replaceAll('2000', '20'))
  const { stdout } = await run(process.execPath, [file], { cwd: mkdtempSync(join(tmpdir(), 'diffeo-readme-')) })
  const [, nll, before, shape, after] =
    /test NLL (\d\S*)\n(Float32Array\(1\) .*?)\n\{\s+shape: (\[ 2, 2 \]).*?\}\n(Float32Array.*)/s.exec(stdout) ?? []
  expect([Number(nll) < 5, shape, after?.trim()]).toEqual([true, '[ 2, 2 ]', before])
})

it('the program of the README runs step by step', async () => {
  const blocks = [...readFileSync('README.md', 'utf8').matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code!)
  const [source = ''] = blocks.filter((code) => code.includes('for await'))
  expect(source).toContain('steps: 2000')
  const target = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ES2022 }
  const [kept = ''] = blocks.filter((code) => code.includes('saveCheckpoint'))
  const whole = source
    .replace('adam, ', 'adam, loadCheckpoint, restore, saveCheckpoint, ')
    .replace("    console.log('a sample'", `    ${kept}console.log('kept', points.length)\n$&`)
    .replaceAll('2000', '20')
  const folder = mkdtempSync(join(tmpdir(), 'diffeo-readme-'))
  const code = ts.transpileModule(whole, { compilerOptions: target }).outputText
  const file = resolve('dist/examples/readme.js')
  writeFileSync(file, code)
  const { stdout } = await run(process.execPath, [file], { cwd: folder })
  expect(stdout).toMatch(/test NLL \d/)
  expect(stdout).toContain('a sample Float32Array(2)')
  expect(stdout).toContain('kept 200')
  writeFileSync(file, code.replace('steps: 20,', 'steps: Number.NaN,'))
  await expect(run(process.execPath, [file])).rejects.toThrow('fit at step 1: expected a')
})

it('the programs of docs/conditional.md compile and run', async () => {
  const blocks = [...readFileSync('docs/conditional.md', 'utf8').matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code!)
  expect(blocks).toHaveLength(3)
  const files = blocks.map((code, i) => {
    const file = resolve(`dist/examples/conditional-${i}.ts`)
    writeFileSync(file, code.replace(/steps: [35]00/, 'steps: 20').replaceAll('200', '20'))
    return file
  })
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: true,
    types: ['node'],
  }
  const program = ts.createProgram(files, options)
  const wrong = ts.getPreEmitDiagnostics(program)
  expect(wrong.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([])
  program.emit()
  const [density, inference, matching] = await Promise.all(
    files.map((file) => run(process.execPath, [file.replace(/ts$/, 'js')])),
  )
  expect(density!.stdout).toMatch(/mean −log p\(θ \| c\): \d/)
  expect(inference!.stdout).toMatch(/log Z: \d/)
  expect(matching!.stdout).toMatch(/test NLL \d/)
})

it('06-export-onnx writes files that ONNX Runtime runs', async () => {
  const { stdout, made } = await example('06-export-onnx', '5')
  expect(stdout).toContain('x → log_prob')
  expect(made('runs/moons.onnx') && made('runs/moons.sampler.onnx')).toBe(true)
})

it('the tasks of docs/explanation/compared.md run, and the page has their code', async () => {
  const code = readFileSync('bench/compared/with-diffeo.mjs', 'utf8')
  const page = readFileSync('docs/explanation/compared.md', 'utf8')
  const tasks = code.split(/^\/\/ (?:task: \w+|end)\n/m).slice(1, -1)
  expect(tasks).toHaveLength(5)
  for (const task of tasks) expect(page).toContain(task.trimEnd())
  const file = resolve('dist/examples/compared.mjs')
  writeFileSync(file, code.replace(/steps: \d+/g, 'steps: 10'))
  const { stdout } = await run(process.execPath, [file], { cwd: mkdtempSync(join(tmpdir(), 'diffeo-compared-')) })
  expect(stdout.match(/^(density|sample|conditional|save|variational) -?[\d.]+$/gm)).toHaveLength(5)
})
