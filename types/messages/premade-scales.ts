// A premade flow with too many scales for its shape.
import { on, realNvp } from 'diffeo'

export const b = on([28, 28, 1], realNvp({ scales: 4 }))
