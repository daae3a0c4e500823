// One soak: containers fail and faults come, at random from a seed, for as long as is said; then all is left in peace until it is well, and judged.
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { App } from '../faults/support/app.ts'
import type { AuditLine } from '../faults/support/postern.ts'
import { type Stage, startStage } from '../faults/support/stage.ts'
import { faultsOf } from './faults.ts'
import { type Bounds, judge, type Noted, type Verdict } from './judge.ts'
import { createRandom, type Random } from './random.ts'
import { keptIn, type Usage, usageOf } from './usage.ts'

export type SoakOptions = {
  readonly minutes: number
  readonly seed: number
  readonly healthy: number
  readonly failing: number
  readonly say: (text: string) => void
  /** Ends it early; what was noted by then is judged. */
  readonly signal: AbortSignal
}

const SAMPLE_EVERY_MS = 2000
const TELL_EVERY_MS = 30_000
/** A bound on what hangs, not on what a slow machine takes. */
const PEACE_MS = 900_000
/** From one fault to the next, about: a healer that was started anew has all to look at before it heals. */
const FAULT_EVERY_MS = { atLeast: 3000, atMost: 20_000, inAll: 40 }
/** Of one container, until it is reset: past restarts weigh until ten healthy minutes have passed, and at five it would rightly be given up on. */
const MOST_ILLNESSES = 3
/** Files that take turns, and hold more than the thousand lines that come at once as the proxy ends and starts; and restarts enough for all. */
const AUDIT = { kilobytes: 512, files: 8 }
const BUDGET = '{ container: 5 per 1m, client: 30 per 1m }'
const SETTINGS = {
  CHECK_INTERVAL: '5',
  RETRY_INTERVAL: '1',
  FAILURE_THRESHOLD: '3',
  REQUEST_TIMEOUT: '5',
  START_PERIOD: '30',
  HEALER_TOKEN: 'of-the-operator-of-the-soak',
}

export async function soak(options: SoakOptions): Promise<readonly Verdict[]> {
  const { minutes, seed, healthy, failing, say, signal } = options
  const random = createRandom(seed)
  const named = (kind: string, count: number) => Array.from({ length: count }, (_, i) => ({ name: `${kind}-${i + 1}` }))
  say(`seed ${seed}: ${healthy} containers that stay well and ${failing} that fail, for ${minutes} minutes`)
  const stage = await startStage({
    apps: [...named('well', healthy), ...named('ill', failing)],
    env: () => SETTINGS,
    budget: BUDGET,
    proxyArgs: ['--audit-max-size', `${AUDIT.kilobytes}k`, '--audit-max-files', `${AUDIT.files}`],
  })
  try {
    const notes = takeNotes(stage)
    await until(() => notes.seenWell().size === stage.apps.length, PEACE_MS, signal)
    say(`all are well`)
    const isIll = ({ name }: App) => name.startsWith('ill')
    const reset = ({ name }: App) => resetBy(stage.healerUrl, name)
    const patients = createPatients(stage.apps.filter(isIll), notes, reset, random)
    const over = endsWith(signal, minutes * 60_000)
    const faults = faultsOf(
      stage,
      stage.apps.filter((app) => !isIll(app)),
      random,
    )
    let interruptions = 0
    const { atLeast, atMost, inAll } = FAULT_EVERY_MS
    const faultEveryMs = Math.min(atMost, Math.max(atLeast, Math.round((minutes * 60_000) / inAll)))
    const elapsed = since()
    const trouble = async () => {
      while (!over.aborted) {
        await rest(random.between(faultEveryMs / 2, faultEveryMs * 1.5), over)
        const fault = over.aborted ? undefined : random.pick(faults)
        if (!fault) continue
        say(`${elapsed()} ${fault.name}`)
        if (fault.interrupts) interruptions += 1
        await fault.happen()
      }
    }
    const falling = async () => {
      // The last seconds are enough to be healed in.
      for (const everyMs = Math.min(5000, (minutes * 60_000) / (2 * failing)); !over.aborted; await rest(everyMs, over))
        await patients.makeOneIll()
    }
    const telling = async () => {
      for (let left = TELL_EVERY_MS; !over.aborted; left -= SAMPLE_EVERY_MS) {
        notes.sample()
        if (left <= 0) {
          say(`${elapsed()} ${patients.words()}; ${notes.words()}`)
          left = TELL_EVERY_MS
        }
        await rest(SAMPLE_EVERY_MS, over)
      }
    }
    await Promise.all([trouble(), falling(), telling()])
    say(`${elapsed()} no more faults: ${patients.words()}`)
    await until(
      () => {
        notes.sample()
        return patients.areWell()
      },
      PEACE_MS,
      signal,
    )
    return judge({ ...(await notes.all()), ...patients.noted(), interruptions }, BOUNDS)
  } finally {
    await stage.end()
  }
}

/** The file that is written may be a line longer; beside them are the keys. */
const BOUNDS: Bounds = { auditFiles: AUDIT.files + 2, auditKilobytes: AUDIT.kilobytes * (AUDIT.files + 1) }

type Notes = ReturnType<typeof takeNotes>

function takeNotes(stage: Stage) {
  const restarts = new Map<number, string>()
  const usage: Record<'proxy' | 'healer', Usage[]> = { proxy: [], healer: [] }
  const isRestart = ({ event, operation, verdict }: AuditLine) =>
    event === 'decision' && operation === 'ContainerRestart' && verdict === 'allow'
  const alerts = () => [...new Map(stage.receiver.alerts().map((alert) => [alert.id, alert])).values()]
  const sample = () => {
    // Files that take turns do not keep what was in the first ones.
    for (const line of stage.audit()) if (isRestart(line)) restarts.set(line.seq, line.target?.name ?? '')
    for (const part of [stage.proxy, stage.healer]) {
      const now = usageOf(part)
      if (now) usage[part.name].push(now)
    }
  }
  return {
    sample,
    alerts,
    recoveries: (name: string) => alerts().filter(({ container, event }) => container === name && event === 'recovered').length,
    seenWell: () => new Set(stage.healer.log().flatMap(({ msg }) => /^(\S+) — healthy/.exec(msg)?.[1] ?? [])),
    words() {
      const of = (name: 'proxy' | 'healer') => {
        const last = usage[name].at(-1)
        return `${name} ${last?.megabytes.toFixed(0)} MB and ${last?.handles} open files`
      }
      return `${restarts.size} restarts, ${of('proxy')}, ${of('healer')}`
    },
    async all(): Promise<Omit<Noted, 'illnesses' | 'notHealed' | 'interruptions'>> {
      const verified = await stage.verify().then(
        (said) => ({ holds: true, said: said.trim() }),
        (error: Error) => ({ holds: false, said: error.message }),
      )
      return {
        restarts: [...restarts].sort(([a], [b]) => a - b).map(([, name]) => name),
        ...{ alerts: alerts(), verified, usage },
        // A proxy whose socket was removed says so.
        stray: [stage.proxy.stray().replace(/^postern-proxy: the socket .*\n/gm, ''), stage.healer.stray()].join(''),
        state: keptIn(join(stage.directory, 'state')),
        audit: keptIn(join(stage.directory, 'audit')),
      }
    },
  }
}

/** Those that fail: one again only once it was told of that it is well, and, before it would rightly be given up on, reset. */
function createPatients(apps: readonly App[], notes: Notes, reset: (app: App) => Promise<boolean>, { pick }: Random) {
  const counts = new Map(apps.map(({ name }) => [name, { all: 0, weighing: 0 }]))
  const countOf = ({ name }: App) => counts.get(name) ?? { all: 0, weighing: 0 }
  const isWell = (app: App) => app.isWell() && notes.recoveries(app.name) >= countOf(app).all
  return {
    async makeOneIll() {
      const able = apps.filter(isWell)
      const fewest = Math.min(...able.map((app) => countOf(app).all))
      const app = pick(able.filter((each) => countOf(each).all === fewest))
      if (!app) return
      const { all, weighing } = countOf(app)
      const mustBeReset = weighing >= MOST_ILLNESSES
      if (mustBeReset && !(await reset(app))) return
      counts.set(app.name, { all: all + 1, weighing: mustBeReset ? 1 : weighing + 1 })
      if (pick([true, true, false])) app.fail()
      else app.hang()
    },
    areWell: () => apps.every(isWell),
    words() {
      const made = apps.reduce((sum, app) => sum + countOf(app).all, 0)
      return `${made} failures, ${apps.filter((app) => !isWell(app)).length} not healed yet`
    },
    noted: () => ({
      illnesses: new Map([...counts].map(([name, { all }]) => [name, all])),
      notHealed: apps.filter((app) => !app.isWell()).map(({ name }) => name),
    }),
  }
}

/** As its operator would, by hand; false where the healer is not there at the moment. */
async function resetBy(healerUrl: string, name: string): Promise<boolean> {
  const headers = { authorization: `Bearer ${SETTINGS.HEALER_TOKEN}` }
  const request = { method: 'POST', headers, signal: AbortSignal.timeout(5000) }
  return fetch(`${healerUrl}/api/containers/${name}/reset`, request).then(
    ({ ok }) => ok,
    () => false,
  )
}

async function until(holds: () => boolean, withinMs: number, signal: AbortSignal): Promise<void> {
  const deadlineMs = performance.now() + withinMs
  while (!holds() && performance.now() < deadlineMs && !signal.aborted) await rest(500, signal)
}

/** Aborts after `ms`, or with `signal`. Not by `AbortSignal.any`, of which Node 20 may forget what nobody else holds. */
function endsWith(signal: AbortSignal, ms: number): AbortSignal {
  const ending = new AbortController()
  setTimeout(() => ending.abort(), ms).unref()
  signal.addEventListener('abort', () => ending.abort())
  return ending.signal
}

/** Resolves early where `signal` aborts. */
const rest = (ms: number, signal: AbortSignal) => delay(ms, undefined, { signal }).catch(() => undefined)

function since(): () => string {
  const startMs = performance.now()
  return () => {
    const seconds = Math.floor((performance.now() - startMs) / 1000)
    return `${String(Math.floor(seconds / 60)).padStart(2)}:${String(seconds % 60).padStart(2, '0')}`
  }
}
