/**
 * The density of a table: a CSV of flats with their city, rooms, area and rent is read, a flow learns p(rooms, area, rent |
 * city), scores flats, and draws synthetic ones.
 *
 *     npm run build && node dist/examples/10-table.js [steps]
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { key, train } from 'diffeo'
import { readTable, tabular } from 'diffeo/data'
import { normalArray, uniformArray } from 'diffeo/tensor'

const steps = Number(process.argv[2] ?? 1500)

// a table as it comes out of a database: an id, text, whole numbers and amounts
const cities = { Bern: 26, Lyon: 17, Graz: 14 }
const [u, v, noise] = [uniformArray(key(1), 5000), uniformArray(key(2), 5000), normalArray(key(3), 10_000)]
const flats = Array.from(u, (pick, i) => {
  const [city, price] = Object.entries(cities)[Math.floor(3 * pick)]!
  const rooms = 1 + Math.floor(5 * v[i]! ** 1.5)
  const area = 14 + 21 * rooms * Math.exp(0.2 * noise[2 * i]!)
  return [i + 1, city, rooms, area.toFixed(3), (price * area * Math.exp(0.15 * noise[2 * i + 1]!)).toFixed(3)]
})
mkdirSync('runs', { recursive: true })
writeFileSync('runs/flats.csv', [['id', 'city', 'rooms', 'area', 'rent'], ...flats].map((row) => row.join()).join('\n'))

const table = await readTable('runs/flats.csv')
for (const { name, kind } of table.columns) console.log(`${name}: ${kind}`)
for (const { name, reason } of table.ignored) console.log(`${name}: left out (${reason})`)

const market = tabular(table, { given: ['city'] })
await using model = await train(market.density, market, { key: key(0), steps, learningRate: 3e-3 })
console.log(`${-model.best!.loss.toFixed(3)} nats of a held-out flat, in the units of the table`)

const bern = model.given(market.context({ city: 'Bern' }))
const [usual, cheap] = await bern.logProb(
  market.rows([
    { rooms: 3, area: 75, rent: 1950 },
    { rooms: 3, area: 75, rent: 600 },
  ]),
)
console.log(`log p of a flat in Bern: ${usual!.toFixed(2)} at a rent of 1950, ${cheap!.toFixed(2)} at 600`)

const draws = market.records(await bern.sample(1000, { key: key(4) }))
console.table(draws.slice(0, 5))
const perArea = draws.map(({ rent, area }) => Number(rent) / Number(area)).sort((a, b) => a - b)
console.log(`median rent per square metre in Bern: ${perArea[500]!.toFixed(1)}, 26 in the data`)
