// A premade flow with too many scales for its shape.
import { atShape, realNvp } from 'diffeo'

export const b = atShape([28, 28, 1], realNvp({ scales: 4 }))
