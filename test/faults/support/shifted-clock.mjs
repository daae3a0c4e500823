// Loaded into a program by `--import`, it shows another time of day there: as far away as the file SHIFTED_CLOCK says, in milliseconds, which is
// read again at each SIGUSR2. What only ever goes forward, `performance.now()` and timers, is as it was, as when a machine's clock is set.
import { readFileSync } from 'node:fs'

const RealDate = Date
const file = process.env.SHIFTED_CLOCK
let offsetMs = 0

function look() {
  offsetMs = Number(readFileSync(file, 'utf8'))
}

globalThis.Date = class extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(RealDate.now() + offsetMs)
    else super(...given)
  }
  static now() {
    return RealDate.now() + offsetMs
  }
}
process.on('SIGUSR2', look)
look()
