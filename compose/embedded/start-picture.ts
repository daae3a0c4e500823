// What `npm start` shows at the bottom of a terminal: each container with its health, its last probes and when the next one is, what the
// proxy let through, and what to try next. Pure.
import type { ContainerAnswer, ProxyAnswer } from '../../healer/serve/api/schemas.ts'
import type { Line, Tone } from './live-region.ts'
import { printable } from './log-line.ts'

/** What is known; each is absent until it is. */
export type Seen = {
  /** What is under way, where it is starting or stopping. */
  readonly doing?: string
  readonly urls?: Readonly<Record<string, string>>
  readonly containers?: readonly ContainerAnswer[] | undefined
  readonly proxy?: ProxyAnswer | undefined
  /** Why the healer could not be asked. */
  readonly trouble?: string | undefined
}

const HEALTH: Readonly<Record<ContainerAnswer['health'], readonly [shape: string, tone: Tone]>> = {
  healthy: ['●', 'green'],
  starting: ['◌', 'cyan'],
  suspect: ['◐', 'yellow'],
  unhealthy: ['✕', 'red'],
  unknown: ['?', 'dim'],
}
const PROBES: Readonly<Record<ContainerAnswer['strip'][number]['result'], readonly [mark: string, tone: Tone]>> = {
  success: ['•', 'green'],
  failure: ['×', 'red'],
  unknown: ['?', 'dim'],
}
const RESTARTED = ['↻', 'cyan'] as const

/** On a terminal with fewer rows only the containers are shown. */
const ROWS_FOR_ALL = 18
/** A wider terminal is left empty at its right. */
const MAX_COLUMNS = 100
/** As wide as the longest health, and its shape. */
const HEALTH_WIDTH = 13
/** A shorter strip says nothing. */
const MIN_STRIP = 8

export function drawStart(seen: Seen, nowMs: number, columns: number, rows: number): readonly Line[] {
  const { doing, containers, proxy, trouble } = seen
  if (doing !== undefined) return [[], [[' ◌ ', 'cyan'], [doing]]]
  const width = Math.min(columns, MAX_COLUMNS) - 1
  const nameWidth = Math.max('healer'.length, ...(containers ?? []).map(({ name }) => name.length)) + 2
  const status = [
    ...(containers ?? []).flatMap((container) => drawContainer(container, nameWidth, nowMs, width)),
    ...(proxy ? [drawProxy(proxy, nameWidth)] : []),
    ...(trouble === undefined ? [] : [row('red', '✕', 'unknown', 'healer', nameWidth, trouble)]),
    ...(containers || trouble ? [] : [row('cyan', '◌', 'starting', 'healer', nameWidth, '')]),
  ]
  if (rows < ROWS_FOR_ALL) return [[], ...status]
  return [[], drawHeader(width), [], ...status, [], ...drawFooter(seen)]
}

function drawHeader(width: number): Line {
  const words = ' on the embedded engine: for trying and testing, nothing is confined '
  return [[' Postern', 'bold'], [words], ['─'.repeat(Math.max(0, width - words.length - ' Postern'.length)), 'dim']]
}

function row(tone: Tone, shape: string, word: string, name: string, nameWidth: number, text: string): Line {
  return [[` ${shape} ${word}`.padEnd(HEALTH_WIDTH), tone], [name.padEnd(nameWidth), 'bold'], [text]]
}

function drawContainer(container: ContainerAnswer, nameWidth: number, nowMs: number, width: number): readonly Line[] {
  const { health, name, reason, failures, settings, restarts, paused, held, problems } = container
  const [shape, tone] = HEALTH[health]
  const indent = ' '.repeat(HEALTH_WIDTH + nameWidth)
  const next = countdown(Date.parse(container.nextProbe) - nowMs)
  const room = width - indent.length - next.length
  const strip = drawStrip(container, room - 2)
  const counted = health === 'suspect' ? ` (${failures} of ${settings.retries} failures)` : ''
  const again = restarts > 0 ? `; restarted ${restarts === 1 ? 'once' : `${restarts} times`}` : ''
  return [
    [...row(tone, shape, health, name, nameWidth, ''), ...strip, [' '.repeat(Math.max(0, room - strip.length))], [next, 'dim']],
    [[`${indent}${printable(reason)}${counted}${again}${paused ? '; restarts are paused' : ''}`]],
    ...(held ? [[[`${indent}not restarted: ${printable(held.message)}; ${printable(held.cure)}`, 'yellow'] as const]] : []),
    ...problems.slice(0, 2).map((problem) => [[`${indent}wrong: ${printable(problem)}`, 'red'] as const]),
  ]
}

function countdown(ms: number): string {
  return ms <= 0 ? 'probing now' : `next probe in ${Math.ceil(ms / 1000)} s`
}

/** The last probes, and the restarts among them, of as many as there is room for. */
function drawStrip({ strip, lastRestarts }: ContainerAnswer, room: number): Line {
  if (room < MIN_STRIP) return []
  const since = Date.parse(strip[0]?.at ?? '')
  const marks = [
    ...strip.map(({ at, result }) => ({ atMs: Date.parse(at), mark: PROBES[result] })),
    ...lastRestarts.map(({ at }) => ({ atMs: Date.parse(at), mark: RESTARTED })).filter(({ atMs }) => atMs >= since),
  ]
  return marks
    .sort((a, b) => a.atMs - b.atMs)
    .slice(-room)
    .map(({ mark }) => mark)
}

function drawProxy({ state, message, engineUp, decisions, budgets }: ProxyAnswer, nameWidth: number): Line {
  if (state !== 'up') return row('red', '✕', 'down', 'proxy', nameWidth, printable(message))
  if (engineUp === false) return row('red', '✕', 'down', 'proxy', nameWidth, 'the engine does not answer it')
  const requests = (wanted: string) =>
    decisions.filter(({ verdict }) => verdict === wanted).reduce((sum, decided) => sum + decided.requests, 0)
  const left = budgets.filter(({ operation }) => operation === 'ContainerRestart').map((budget) => budget.left)
  const budget = left.length > 0 ? `; restarts left: ${Math.min(...left)}` : ''
  const said = `let through ${requests('allow')} requests, refused ${requests('deny') || 'none'}${budget}`
  return row('green', '●', 'up', 'proxy', nameWidth, said)
}

function drawFooter({ urls = {} }: Seen): readonly Line[] {
  const app = urls['sample-app'] ?? ''
  const head = (text: string): Line[number] => [` ${text}`.padEnd(HEALTH_WIDTH), 'dim']
  return [
    [head('sample app'), [app]],
    [head('status'), [urls.healer ?? '']],
    [head('break it'), [`curl -X POST ${app.replace('http://', '')}/break`, 'bold'], ['   in another terminal', 'dim']],
    [head(''), ['or with ?mode=hang, slow, stubborn, crash, requests; /fix mends it', 'dim']],
    [head('stop'), ['Ctrl-C', 'bold'], ...drawLegend()],
  ]
}

function drawLegend(): Line {
  const marks = [
    [PROBES.success, 'passed'],
    [PROBES.failure, 'failed'],
    [PROBES.unknown, 'cannot tell'],
    [RESTARTED, 'restarted'],
  ] as const
  return marks.flatMap(([mark, word]) => [['   '], mark, [` ${word}`, 'dim']] as const)
}
