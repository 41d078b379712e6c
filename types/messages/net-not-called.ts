// The net is a function that returns one.
import { coupling, halves, mlp } from 'diffeo'

export const wrong = coupling(halves(), mlp)
