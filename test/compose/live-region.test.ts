// The lines at the bottom of a terminal that are drawn anew, as xterm.js shows them.
import t from 'tap'
import { createLiveRegion, isLive, type Line } from '../../compose/embedded/live-region.ts'
import { createFakeTerminal } from './support/fake-terminal.ts'

delete process.env.FORCE_COLOR

await t.test('what is printed stays and scrolls by above the region, which is there once', async (t) => {
  const terminal = createFakeTerminal(40, 10)
  let count = 0
  const region = createLiveRegion(terminal.stream, () => [[['region', 'bold']], [[`drawn ${count}`, 'green']]])
  const printed = Array.from({ length: 30 }, (_, i) => `line ${i}`)
  for (const line of printed) {
    count++
    region.print([[line, 'cyan']])
    region.refresh()
  }
  t.same(await terminal.rows(), [...printed, 'region', 'drawn 30'])
  region.print([['x'.repeat(100)]])
  t.same((await terminal.rows()).slice(-5), ['x'.repeat(40), 'x'.repeat(40), 'x'.repeat(20), 'region', 'drawn 30'])
  region.print([['y'.repeat(40)]])
  t.same((await terminal.rows()).slice(-3), ['y'.repeat(40), 'region', 'drawn 30'])
  region.end()
  t.ok(await terminal.isAsFound())
})

await t.test('a region that becomes smaller leaves nothing of itself', async (t) => {
  const terminal = createFakeTerminal()
  let lines: readonly Line[] = [[['one']], [['two']], [['three']]]
  const region = createLiveRegion(terminal.stream, () => lines)
  region.refresh()
  lines = [[['1']]]
  region.print([['a']])
  t.same(await terminal.rows(), ['a', '1'])
  lines = []
  region.end()
  t.same(await terminal.rows(), ['a'])
  t.ok(await terminal.isAsFound())
})

await t.test('a terminal that becomes narrower, wider, lower or higher has the region once', async (t) => {
  const terminal = createFakeTerminal(60, 12)
  const region = createLiveRegion(terminal.stream, (columns) => [[['='], ['='.repeat(columns)]], [['short']], [['w'.repeat(55)]]])
  region.print([['above']])
  for (const [columns, rows] of [
    [30, 12],
    [17, 12],
    [80, 12],
    [80, 8],
    [50, 30],
  ] as const) {
    await terminal.resize(columns, rows)
    region.refresh()
    const shown = await terminal.rows()
    t.equal(shown.length, 4, `${columns} × ${rows}: ${shown.join('|')}`)
    t.same([shown[0], shown[1]?.length, shown[2]], ['above', columns - 1, 'short'])
  }
  region.end()
  await terminal.resize(20, 12)
  t.equal((await terminal.rows())[0], 'above')
})

await t.test('a line that is too long ends with …, and one of wide characters is cut by the terminal', async (t) => {
  const terminal = createFakeTerminal(20, 10)
  const region = createLiveRegion(terminal.stream, () => [
    [['0123456789', 'red'], ['0123456789012345', 'green'], ['x']],
    [['0123456789'], ['012345678']],
    [['漢字'.repeat(8)]],
    [['end']],
  ])
  region.refresh()
  region.refresh()
  const [long, exact, , end] = await terminal.rows()
  t.same([long, exact, end], ['012345678901234567…', '0123456789012345678', 'end'])
  t.equal((await terminal.rows()).length, 4)
})

await t.test('on a low terminal the first lines are shown', async (t) => {
  const terminal = createFakeTerminal(20, 5)
  const region = createLiveRegion(terminal.stream, () => ['a', 'b', 'c', 'd', 'e'].map((text) => [[text]] as const))
  for (let i = 0; i < 3; i++) region.print([[`line ${i}`]])
  t.same(await terminal.rows(), ['line 0', 'line 1', 'line 2', 'a', 'b', 'c'])
})

await t.test('a program that was stopped and goes on draws below what others wrote meanwhile', async (t) => {
  const before = process.listenerCount('SIGCONT')
  const terminal = createFakeTerminal()
  const region = createLiveRegion(terminal.stream, () => [[['region']]])
  region.refresh()
  terminal.stream.write('[1]+ Stopped\n$ fg\n')
  process.emit('SIGCONT')
  region.refresh()
  t.same(await terminal.rows(), ['region', '[1]+ Stopped', '$ fg', 'region'])
  region.end()
  t.equal(process.listenerCount('SIGCONT'), before)
})

await t.test('there are no colours where the terminal has none, or NO_COLOR is set', async (t) => {
  const [plain, coloured] = [createFakeTerminal(80, 24, 1), createFakeTerminal()]
  for (const { stream } of [plain, coloured]) createLiveRegion(stream, () => [[['x', 'red']]]).end()
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const colours = /\x1b\[[\d;]*m/
  t.notMatch(plain.written(), colours)
  t.match(coloured.written(), colours)
})

await t.test('it is live on a terminal that can, unless CI is what looks at it', async (t) => {
  for (const [isTTY, env, expected] of [
    [true, { TERM: 'xterm' }, true],
    [true, {}, true],
    [true, { TERM: 'dumb' }, false],
    [true, { TERM: 'xterm', CI: 'true' }, false],
    [true, { TERM: 'xterm', CI: '' }, true],
    [true, { TERM: 'xterm', NO_COLOR: '1' }, true],
    [false, { TERM: 'xterm', FORCE_COLOR: '1' }, false],
  ] as const)
    t.equal(isLive({ isTTY }, env), expected, JSON.stringify([isTTY, env]))
})
