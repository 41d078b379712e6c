/** What holds in every sandbox of a test runner. */
import { readAndWrite, train, trainImages } from './program.mjs'

/** Declares the tests, with the functions of the test runner. */
export const declare = ({ it, expect }) => {
  it.each(['onnxruntime', 'wasm', 'cpu'])('trains on %s', async (engine) => {
    const { name, nats, points, exported } = await train(engine)
    expect(name).toBe(engine)
    expect(nats).toBeCloseTo(1.8354, 3)
    expect(points).toHaveLength(6)
    expect(exported).toBeGreaterThan(1000)
  })

  it.each(['onnxruntime', 'wasm'])('trains on images on %s', async (engine) => {
    const pixels = await trainImages(engine)
    expect([...pixels].filter(Number.isFinite)).toHaveLength(8 * 8 * 3)
  })

  it('reads pictures, writes them, and reports errors of Node in words', async () => {
    const { pixels, broken, missing, svg } = await readAndWrite()
    expect(pixels).toEqual([0, 1, 2, 3])
    expect([broken, missing]).toEqual(['vipspng: libpng read error', 'nothing there (ENOENT)'])
    expect(svg).toBe('<svg')
  })
}
