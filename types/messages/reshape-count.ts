// 3,072 elements do not fit into 1,024.
import { compose, flatten, input, reshapeTo } from 'diffeo'

export const b = compose(input([32, 32, 3]), flatten, reshapeTo([32, 32, 1]))
