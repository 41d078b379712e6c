/** Matrices in float64, in plain JavaScript, to compare layers with. */
export type Matrix = readonly (readonly number[])[]

export const matrix = (rows: number, columns: number, entry: (i: number, j: number) => number): Matrix =>
  Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (_, j) => entry(i, j)))
export const identity = (n: number): Matrix => matrix(n, n, (i, j) => (i === j ? 1 : 0))
/** Row-major values as rows. */
export const rowsOf = (values: readonly number[], columns: number): Matrix =>
  matrix(values.length / columns, columns, (i, j) => values[i * columns + j]!)
export const transposed = (a: Matrix): Matrix => matrix(a[0]!.length, a.length, (i, j) => a[j]![i]!)
export const product = (a: Matrix, b: Matrix): Matrix =>
  matrix(a.length, b[0]!.length, (i, j) => a[i]!.reduce((sum, v, k) => sum + v * b[k]![j]!, 0))
export const sum = (a: Matrix, b: Matrix, factor = 1): Matrix =>
  matrix(a.length, a[0]!.length, (i, j) => a[i]![j]! + factor * b[i]![j]!)

/** log |det A| by elimination with pivots. */
export const logAbsDet = (a: Matrix): number => {
  const rows = a.map((row) => [...row])
  let total = 0
  rows.forEach((_, k) => {
    const most = rows.slice(k).reduce((at, row, i) => (Math.abs(row[k]!) > Math.abs(rows[at]![k]!) ? k + i : at), k)
    ;[rows[k], rows[most]] = [rows[most]!, rows[k]!]
    const pivot = rows[k]!
    total += Math.log(Math.abs(pivot[k]!))
    for (const row of rows.slice(k + 1)) {
      const factor = row[k]! / pivot[k]!
      for (let j = k; j < row.length; j++) row[j]! -= factor * pivot[j]!
    }
  })
  return total
}

/** The largest singular value, by powers of the Gram matrix. */
export const norm = (w: Matrix): number => {
  const gram = product(transposed(w), w)
  let v: readonly number[] = gram.map((_, i) => 1 + Math.sin(i))
  for (let k = 0; k < 2000; k++) {
    const next = product([v], gram)[0]!
    v = next.map((u) => u / Math.hypot(...next))
  }
  return Math.sqrt(Math.hypot(...product([v], gram)[0]!))
}

/** ∂f_j/∂x_i by central differences, as rows i: the matrix W of a linear f(x) = x·W. */
export const jacobianOf = (f: (x: readonly number[]) => readonly number[], x: readonly number[], h = 1e-5): Matrix =>
  x.map((_, i) => {
    const at = (step: number): readonly number[] => f(x.map((v, j) => (j === i ? v + step : v)))
    const [above, below] = [at(h), at(-h)]
    return above.map((v, j) => (v - below[j]!) / (2 * h))
  })
