// Durations as Docker writes them, and plain seconds.
import t from 'tap'
import { parseDuration, renderDuration } from '../../healer/settings/duration.ts'

const parsed: [string, number | undefined][] = [
  ['15', 15_000],
  ['0.5', 500],
  ['1m30s', 90_000],
  ['1h', 3_600_000],
  ['250ms', 250],
  ['1.5s', 1500],
  ['', undefined],
  ['-1', undefined],
  ['1m 30s', undefined],
  ['m', undefined],
  ['15sec', undefined],
  ['Infinity', undefined],
]
for (const [text, ms] of parsed) {
  await t.test(`“${text}” is ${ms === undefined ? 'no duration' : `${ms} ms`}`, async (t) => t.equal(parseDuration(text), ms))
}

await t.test('durations are written for people', async (t) => {
  t.same([0, 449, 1000, 5049, 9960, 36_000, 60_000, 125_000, 3_600_000, 3_780_000].map(renderDuration), [
    '0 s',
    '0.4 s',
    '1 s',
    '5 s',
    '10 s',
    '36 s',
    '1 min',
    '2 min 5 s',
    '1 h',
    '1 h 3 min',
  ])
})
