// The second argument is a net.
import { coupling, halves } from 'diffeo'

export const wrong = coupling(halves(), halves('second'))
