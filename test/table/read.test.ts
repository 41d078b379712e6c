/** Tables in files, hostile ones among them: each is read right, or refused with one sentence. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { key } from 'diffeo'
import { readTable, type Table, tableFrom } from 'diffeo/data'
import fc from 'fast-check'
import Papa from 'papaparse'
import { describe, expect, it } from 'vitest'
import { csvText } from '../../src/table/write.js'

const folder = mkdtempSync(join(tmpdir(), 'diffeo-table-'))
let files = 0
const file = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, `${files++}-${name}`)
  writeFileSync(path, content)
  return path
}
const csv = (text: string): string => file('t.csv', text)
const column = ({ columns, values, count }: Table, name: string): number[] => {
  const at = columns.findIndex((c) => c.name === name)
  return Array.from({ length: count }, (_, row) => values[row * columns.length + at]!)
}
const levelsOf = (table: Table, name: string) => {
  const { levels = [] } = table.columns.find((c) => c.name === name)!
  return column(table, name).map((i) => levels[i])
}

describe('CSV files', () => {
  it.each([
    ['commas', 'x,kind\n1.5,a\n2.5,b\n4,a\n'],
    ['CRLF', 'x,kind\r\n1.5,a\r\n2.5,b\r\n4,a\r\n'],
    ['semicolons', 'x;kind\n1.5;a\n2.5;b\n4;a\n'],
    ['tabs', 'x\tkind\n1.5\ta\n2.5\tb\n4\ta\n'],
    ['a byte-order mark and no line break at the end', '\ufeffx,kind\n1.5,a\n2.5,b\n4,a'],
    ['quotes everywhere', '"x","kind"\n"1.5","a"\n"2.5","b"\n"4","a"\n'],
    ['empty lines and spaces', '\nx,kind\n\n 1.5 , a\n2.5,b\n4,a \n\n'],
  ])('are read with %s', async (_, text) => {
    const table = await readTable(csv(text))
    expect(column(table, 'x')).toEqual([1.5, 2.5, 4])
    expect(levelsOf(table, 'kind')).toEqual(['a', 'b', 'a'])
  })
  it('are read from .gz and .tsv files', async () => {
    const packed = await readTable(file('t.csv.gz', gzipSync('x,y\n1.5,2.25\n2.5,3\n')))
    expect(column(packed, 'y')).toEqual([2.25, 3])
    const tabs = await readTable(file('t.tsv', 'x\tname\n1.5\ta,b\n2.5\tc\n'))
    expect(levelsOf(tabs, 'name')).toEqual(['a,b', 'c'])
  })
  it('keep line breaks, separators and quotes in quoted cells', async () => {
    const table = await readTable(csv('x,note\n1,"a, ""b""\nc"\n2,d\n4,"a, ""b""\nc"\n'))
    expect(levelsOf(table, 'note')).toEqual(['a, "b"\nc', 'd', 'a, "b"\nc'])
  })
  it('may have decimal commas and points between thousands', async () => {
    const table = await readTable(csv('price;n\n1.234,5;1\n0,25;2\n3;4\n'))
    expect(column(table, 'price')).toEqual([1234.5, 0.25, 3])
    expect(column(await readTable(csv('price,n\n"1,234.5",1\n0.25,2\n')), 'price')).toEqual([1234.5, 0.25])
  })
  it('may have dates, in days since 2000', async () => {
    const table = await readTable(csv('on,x\n2000-01-02,1\n2001-01-01T12:00,2\n1999-12-31,5\n'))
    expect(column(table, 'on')).toEqual([1, 366.5, -1])
  })
  it('number columns without a name, and those of the same name', async () => {
    const { columns } = await readTable(csv('x,,x\n1.5,2.5,3.5\n2.5,3.5,1.25\n'))
    expect(columns.map(({ name }) => name)).toEqual(['x', 'column2', 'x_2'])
  })
  it('may have ten thousand columns', async () => {
    const line = (f: (i: number) => string) => Array.from({ length: 10_000 }, (_, i) => f(i)).join()
    const { columns } = await readTable(
      csv(`${line((i) => `c${i}`)}\n${line((i) => `${i / 3}`)}\n${line((i) => `${i / 7 + 1}`)}\n`),
    )
    expect(columns).toHaveLength(10_000)
  })
  it.each([
    ['an empty file', '', 'expected a row of names, then rows of values, got an empty file'],
    ['one row', 'x,y\n1,2\n', 'expected at least 2 rows below the names, got 1'],
    ['no names', '1.5,2.5\n3.5,4.5\n1,2\n', 'expected the names of the columns in the first row, got numbers'],
    ['a short row', 'x,y\n1.5,2\n3\n2,2\n', 'row 2: expected 2 cells, got 1'],
    ['a long row', 'x,y\n1.5,2\n3,4\n2,2,9\n', 'row 3: expected 2 cells, got 3'],
    [
      'a quote that is not closed',
      'x,y\n1.5,2\n3,"4\n2,2\n',
      'expected quotes in pairs, got a quote that is never closed',
    ],
    ['infinity', 'x,y\n1.5,2\ninf,4\n2,2\n', "row 2: expected a finite number in column 'x', got 'inf'"],
    ['a missing value', 'x,y\n1.5,2\n2.5,NaN\n2,2\n', "row 2: expected a value in column 'y', got none"],
    ['only constants', 'x,y\n1,2\n1,2\n', 'expected at least one column that varies, got none'],
    ['UTF-16', '\ufffe', 'expected'],
  ])('are refused with %s', async (_, text, sentence) => {
    await expect(readTable(csv(text))).rejects.toThrow(sentence)
  })
  it('name the row of text among numbers, below the first rows too', async () => {
    const rows = Array.from({ length: 12_000 }, (_, i) => `${i / 7},${i % 3}`)
    rows[11_499] = 'oops,1'
    await expect(readTable(csv(`x,y\n${rows.join('\n')}\n`))).rejects.toThrow(
      "row 11,500: expected a number in column 'x', got 'oops'; fix that cell, or read the column as text: --columns x=categorical",
    )
  })
  it('are refused where they are binary, missing or a folder', async () => {
    await expect(readTable(file('t.csv', Uint8Array.of(255, 254, 65, 0)))).rejects.toThrow('got text in UTF-16')
    await expect(readTable(file('t.csv', Uint8Array.of(80, 75, 0, 0, 1)))).rejects.toThrow('got binary data')
    await expect(readTable(file('t.csv.gz', 'no gzip'))).rejects.toThrow('expected a complete gzip file')
    await expect(readTable(join(folder, 'none.csv'))).rejects.toThrow('expected a file, got nothing there')
    await expect(readTable(folder)).rejects.toThrow('expected a file, got a folder')
    await expect(readTable(file('t.xlsx', 'x'))).rejects.toThrow('expected a name that ends in .csv')
  })
  it('drop rows with missing values, or keep them with an indicator', async () => {
    const path = csv('x,y\n1.5,2\n,4.5\n2,NA\n3,1\n')
    const dropped = await readTable(path, { missing: 'drop' })
    expect([dropped.count, dropped.total, dropped.dropped]).toEqual([2, 4, 2])
    const kept = await readTable(path, { missing: 'indicator' })
    expect(kept.columns.map(({ name }) => name)).toEqual(['x', 'x is missing', 'y', 'y is missing'])
    expect(column(kept, 'x is missing')).toEqual([0, 1, 0, 0])
    expect([1.5, 2, 3]).toContain(column(kept, 'x')[1])
  })
  it('of too many rows keep a random sample, the same for one key', async () => {
    const path = csv(`x,y\n${Array.from({ length: 5000 }, (_, i) => `${i + 0.5},${(i * 7) % 10}`).join('\n')}\n`)
    const options = { limit: 1000, columns: { x: 'continuous' }, key: key(3) }
    const [one, two] = [await readTable(path, options), await readTable(path, options)]
    expect(one.count).toBe(1000)
    expect(one.values).toEqual(two.values)
    const mean = column(one, 'x').reduce((a, b) => a + b, 0) / 1000
    // the standard error is 5000/√12/√1000 = 46
    expect(Math.abs(mean - 2500)).toBeLessThan(200)
  })
  it('are read back as they are written, whatever their cells hold', async () => {
    const cell = fc.oneof(fc.string(), fc.constantFrom('=cmd()', '+1', '@x', '"', ',', '\n', '\r\n', "'"))
    await fc.assert(
      fc.asyncProperty(fc.array(cell, { minLength: 2, maxLength: 6 }), async (cells) => {
        const text = csvText({ columns: ['n', 'text'], rows: cells.map((c, i) => [i + 0.5, c]) })
        const rows = Papa.parse<string[]>(text, { skipEmptyLines: true }).data
        expect(rows).toHaveLength(cells.length + 1)
        // no cell begins as a formula does
        for (const row of rows.slice(1)) expect(row[1]).not.toMatch(/^[=+\-@\t\r]/)
      }),
      { numRuns: 200, seed: 1 },
    )
  })
  it('never throw anything but a sentence', async () => {
    const soup = fc.array(fc.constantFrom('a', '1', '"', ',', '\n', '\r', ';', '\ufeff', '.', '-', 'e', 'inf', ' '), {
      maxLength: 60,
    })
    await fc.assert(
      fc.asyncProperty(soup, async (parts) => {
        const result = await readTable(csv(parts.join(''))).catch((thrown: unknown) => thrown)
        if (result instanceof Error) expect(result.name).toBe('DiffeoException')
        else expect((result as Table).values.every(Number.isFinite)).toBe(true)
      }),
      { numRuns: 300, seed: 2 },
    )
  })
})

describe('other files', () => {
  it('are read from JSON lines', async () => {
    const table = await readTable(file('t.jsonl', '{"x":1.5,"ok":true}\n\n{"x":2.5,"ok":false}\n{"ok":true,"x":3}\n'))
    expect(column(table, 'x')).toEqual([1.5, 2.5, 3])
    expect(levelsOf(table, 'ok')).toEqual(['true', 'false', 'true'])
  })
  it.each([
    ['{"x":1}\n[2]\n', 'row 2: expected one JSON object in each line, got a list'],
    ['{"x":1}\n{"x":\n', 'row 2: expected one JSON object in each line, got text that is not JSON'],
    ['{"x":1}\n{"x":{"y":2}}\n', "row 2: expected a number or text at 'x', got an object"],
    ['{"x":1}\n{"x":2,"z":1}\n', "row 2: expected the keys of the first row, got 'z' too"],
    ['', 'got an empty file'],
  ])('of JSON lines are refused: %j', async (text, sentence) => {
    await expect(readTable(file('t.jsonl', text))).rejects.toThrow(sentence)
  })
  /** A `.npy` file of little-endian or big-endian doubles or 16-bit integers. */
  const npy = (descr: string, fortran: boolean, shape: string, bytes: Uint8Array): Uint8Array => {
    const header = `${`{'descr': '${descr}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': (${shape}), }`.padEnd(117)}\n`
    return Buffer.concat([
      Buffer.from('\x93NUMPY\x01\x00', 'latin1'),
      Uint8Array.of(118, 0),
      Buffer.from(header),
      bytes,
    ])
  }
  const numbers = [1.5, -2, 3.25, 4, 0.5, 6]
  it('are read from .npy files of every order', async () => {
    const little = new Uint8Array(Float64Array.from(numbers).buffer)
    const big = Buffer.alloc(12)
    for (const [i, n] of [1, -2, 3, 4, 300, 6].entries()) big.writeInt16BE(n, 2 * i)
    const rows = await readTable(file('t.npy', npy('<f8', false, '3, 2', little)))
    expect([...rows.values]).toEqual(numbers)
    expect(rows.columns.map(({ name }) => name)).toEqual(['x0', 'x1'])
    const columns = await readTable(file('t.npy', npy('<f8', true, '3, 2', little)))
    expect([...columns.values]).toEqual([1.5, 4, -2, 0.5, 3.25, 6])
    const whole = await readTable(file('t.npy', npy('>i2', false, '3, 2', big)))
    expect([...whole.values]).toEqual([1, -2, 3, 4, 300, 6])
  })
  it('of NumPy are refused where they hold no table', async () => {
    const bytes = new Uint8Array(8 * 6)
    await expect(readTable(file('t.npy', npy('<f8', false, '1, 3, 2', bytes)))).rejects.toThrow(
      'expected an array of shape N×D, got 1×3×2; reshape it: x.reshape(len(x), -1)',
    )
    await expect(readTable(file('t.npy', npy('<f8', false, '4, 2', bytes)))).rejects.toThrow('bytes for its shape')
    await expect(readTable(file('t.npy', npy('|O', false, '3, 2', bytes)))).rejects.toThrow('expected numbers')
  })
  it('are read from Parquet', async () => {
    const { parquetWriteBuffer } = await import('hyparquet-writer')
    const bytes = new Uint8Array(
      parquetWriteBuffer({
        columnData: [
          { name: 'x', data: [1.5, 2.5, 4], type: 'DOUBLE' },
          { name: 'n', data: [1n, 5n, 2n], type: 'INT64' },
          { name: 'kind', data: ['a', 'b', 'a'], type: 'STRING' },
        ],
      }),
    )
    const table = await readTable(file('t.parquet', bytes))
    expect(column(table, 'x')).toEqual([1.5, 2.5, 4])
    expect(column(table, 'n')).toEqual([1, 5, 2])
    expect(levelsOf(table, 'kind')).toEqual(['a', 'b', 'a'])
    await expect(readTable(file('t.parquet', 'no parquet'))).rejects.toThrow('expected a Parquet file')
  })
})

describe('columns', () => {
  const many = (f: (i: number) => number) => Array.from({ length: 500 }, (_, i) => f(i))
  /** Pseudo-random in (0, 1). */
  const u = (i: number): number => ((i + 1) * 0.754877666) % 1
  it('get their kinds from their values', () => {
    const { columns, ignored } = tableFrom({
      id: many((i) => i + 1),
      constant: many(() => 7),
      size: many((i) => u(i) - 0.3),
      count: many((i) => Math.floor(9 * u(i))),
      income: many((i) => Math.exp(8 + 2 * Math.sin(u(i) * 7) + 3 * u(i * 3) ** 4)),
      city: many((i) => i % 4).map((i) => ['Rome', 'Oslo', 'Kyiv', 'Lima'][i]!),
    })
    expect(columns.map(({ name, kind }) => `${name} ${kind}`)).toEqual([
      'size continuous',
      'count integer',
      'income positive',
      'city categorical',
    ])
    expect(columns.at(-1)!.levels).toEqual(['Kyiv', 'Lima', 'Oslo', 'Rome'])
    expect(ignored).toEqual([
      { name: 'id', reason: 'numbers its rows' },
      { name: 'constant', reason: 'constant' },
    ])
  })
  it('warn of repeated values, heavy tails, duplicates and few rows', () => {
    const { warnings } = tableFrom({
      zeros: many((i) => (i % 2 ? 0 : u(i) - 0.3)),
      cents: many((i) => Math.floor(20 * u(i)) / 100 + 0.01),
      tail: many((i) => (i === 77 ? 5000 : u(i * 5) - 0.5)),
    })
    expect(warnings.join('\n')).toMatch(/'zeros' is 0 in 50 % of the rows/)
    expect(warnings.join('\n')).toMatch(/'cents' repeats multiples of 0.01.*cents=integer:0.01/)
    expect(warnings.join('\n')).toMatch(/'tail' has a heavy tail/)
    expect(tableFrom({ x: [0.5, 1.5, 0.5, 1.5] }).warnings.join()).toMatch(
      /50 % of the rows are duplicates.*4 rows are few/s,
    )
  })
  it.each([
    [{ x: 'bounded:0:1' }, "column 'x': expected numbers from 0 to 1, got -1"],
    [{ x: 'positive' }, "column 'x': expected numbers above 0, got -1"],
    [{ x: 'integer:1' }, "column 'x': expected multiples of 1, got 2.5"],
    [{ x: 'round' }, 'expected one of continuous, positive'],
    [{ x: 'bounded:1:0' }, 'expected a low below the high'],
    [{ x: 'integer:0' }, 'expected a number above 0'],
    [{ z: 'integer' }, "expected columns among x, k, got 'z'"],
    [{ k: 'integer' }, 'expected numbers for integer, got text'],
  ])('refuse choices that do not fit: %j', (columns, sentence) => {
    expect(() => tableFrom({ x: [-1, 2.5, 0.5], k: ['a', 'b', 'a'] }, { columns })).toThrow(sentence)
  })
  it('refuse lists of different lengths', () => {
    expect(() => tableFrom({ x: [1.5, 2], y: [1] })).toThrow('expected columns of 2 values, as x has, got y with 1')
  })
})
