/**
 * The data of a run: a data set by its name, or a table of the user's.
 *
 * @module
 */
import type { DataConfig } from './config.js'
import { type DataSet, loadDataSet, type Sharing, TABLE } from './examples.js'
import { tableSet } from './table-examples.js'

/**
 * Loads the data that a configuration names.
 *
 * @throws DiffeoException (as a rejection) if they cannot be read, or the options do not fit them
 */
export const loadRunData = (data: DataConfig, sharing: Sharing): Promise<DataSet> =>
  data.name === TABLE ? tableSet(data, sharing) : loadDataSet(data, sharing)
