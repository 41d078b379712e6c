// A premade flow asks for too many scales.
import { on, realNvp } from 'diffeo'

export const b = on([28, 28, 1], realNvp({ scales: 4 }))
