// What needs a person, or may soon: the first thing on the status page, the worst first, each with what to do. Pure.
import { html } from 'hono/html'
import { renderDuration } from '../../settings/duration.ts'
import type { ContainerAnswer } from '../api/schemas.ts'
import { containerId } from './container.ts'
import type { Html, Told } from './parts.ts'
import { clock, count, sentence } from './words.ts'

export type Matter = {
  /** `bad`: something is ill or blind. `warn`: it may become so, or is misconfigured. */
  readonly level: 'bad' | 'warn'
  readonly subject: string
  /** The id of an element of the page that has more. */
  readonly target?: string
  readonly what: string
  readonly cure?: string
}

/** An alert that waits for longer than this is stuck. */
const WAITS_LONG_MS = 120_000
/** Beyond these the page says how many more there are. */
const SHOWN = 12

export function findMatters(told: Told): readonly Matter[] {
  const matters = [...ofTheHealer(told), ...ofTheProxy(told), ...told.containers.flatMap(ofContainer)]
  return [...matters.filter(({ level }) => level === 'bad'), ...matters.filter(({ level }) => level === 'warn')]
}

function ofTheHealer({ docker, receivers, ready }: Told): readonly Matter[] {
  const late = receivers.filter(({ waitedMs }) => waitedMs > WAITS_LONG_MS)
  return [
    ...(docker.reachable || docker.message === undefined
      ? []
      : [
          {
            level: 'bad',
            subject: 'Docker',
            what: `it cannot be asked: ${docker.message}. ${ready ? 'Probing goes on; restarts wait' : 'Until it can be, nothing new is watched'}`,
            cure: 'see whether the proxy and the Engine are running',
          } as const,
        ]),
    ...late.map(
      ({ receiver, waiting, waitedMs }) =>
        ({
          level: 'bad',
          subject: receiver,
          what: `${count(waiting, 'alert')} cannot be delivered, the oldest for ${renderDuration(waitedMs)}`,
          cure: 'see the healer’s log for what it answers; postern-healer test-alert tries it',
        }) as const,
    ),
    ...(receivers.length > 0
      ? []
      : [
          {
            level: 'warn',
            subject: 'Alerts',
            what: 'nobody is told of anything: no receiver is set',
            cure: 'set SLACK_WEBHOOK_URL, PAGERDUTY_ROUTING_KEY, ALERTMANAGER_URL, WEBHOOK_URL or ALERTS_FILE',
          } as const,
        ]),
  ]
}

function ofTheProxy({ proxy: { state, message, engineUp, observing, audit } }: Told): readonly Matter[] {
  const matter = (level: Matter['level'], what: string, cure?: string): Matter => ({
    ...{ level, subject: 'Proxy', target: 'proxy', what },
    ...(cure === undefined ? {} : { cure }),
  })
  return [
    ...(state === 'down' ? [matter('bad', message)] : []),
    ...(engineUp === false ? [matter('bad', 'the Docker Engine does not answer it', 'see whether the Engine is running')] : []),
    ...(audit.failures !== null && audit.failures > 0
      ? [
          matter(
            'bad',
            `${count(audit.failures, 'line')} of its audit log could not be written since it was started; while that lasts, restarts are refused`,
            'see whether the log’s disk is full',
          ),
        ]
      : []),
    ...(observing === true
      ? [matter('warn', 'it observes: it lets pass what its policy refuses', 'start it without --observe')]
      : []),
  ]
}

function ofContainer(container: ContainerAnswer): readonly Matter[] {
  const { name: subject, health, status, reason, held, problems, failures, paused } = container
  const target = containerId(container)
  const cure = held === null ? {} : { cure: held.cure }
  const ill = health === 'unhealthy' || health === 'suspect' || (status !== 'running' && health !== 'starting')
  const times = failures > 1 ? `, ${failures} times in a row` : ''
  const notRestarted = held === null ? '' : `. Not restarted: ${held.message}`
  const [problem] = problems
  if (ill) {
    const level = health === 'suspect' ? 'warn' : 'bad'
    const words = status === 'running' || health === 'unhealthy' ? `${health}: ${reason}${times}` : `it is not running: ${reason}`
    return [{ level, subject, target, what: `${words}${notRestarted}`, ...cure }]
  }
  if (held !== null) return [{ level: 'warn', subject, target, what: `${reason}${notRestarted}`, ...cure }]
  if (problem !== undefined) return [{ level: 'warn', subject, target, what: problem }]
  if (health === 'unknown') return [{ level: 'warn', subject, target, what: `nobody can tell: ${reason}` }]
  return paused ? [{ level: 'warn', subject, target, what: 'it is paused: it would not be restarted' }] : []
}

export function renderAttention(told: Told): Html {
  const matters = findMatters(told)
  const { containers, ready, holdSince } = told
  const ill = containers.filter(({ health }) => health === 'unhealthy' || health === 'suspect').length
  return html`<section id="attention" aria-labelledby="attention-heading" data-title="${ill > 0 ? `(${ill}) ` : ''}Postern" data-level="${matters[0]?.level ?? 'good'}">
<div role="status"><h2 id="attention-heading">${headline(told, ill)}</h2></div>
${holdSince === null ? '' : html`<p class="trouble"><strong>Restarts are held</strong> since ${clock(holdSince, 'ago')}: most containers began to fail at once, so the healer’s own network or the host may be what is ill. See to these first; after HOLD_MAX one container is restarted, to see.</p>`}
${ready && containers.length === 0 ? html`<p>Label one <code>monitored=true</code>, in any compose project on this host.</p>` : ''}
${
  matters.length === 0
    ? ''
    : html`<ul class="matters">${matters
        .slice(0, SHOWN)
        .map(
          ({ level, subject, target, what, cure }) =>
            html`<li data-level="${level}">${target === undefined ? html`<strong>${subject}</strong>` : html`<a href="#${target}">${subject}</a>`} ${sentence(what)}${cure === undefined ? '' : html` <span class="cure">What to do: ${sentence(cure)}</span>`}</li>`,
        )}${matters.length > SHOWN ? html`<li>and ${matters.length - SHOWN} more, below</li>` : ''}</ul>`
}
</section>`
}

function headline({ containers, ready }: Told, ill: number): string {
  if (containers.length === 0) return ready ? 'No container is watched' : 'Looking for containers'
  if (ill > 0) return `${ill} of ${count(containers.length, 'container')} ${ill === 1 ? 'is' : 'are'} ill`
  const healthy = containers.filter(({ health }) => health === 'healthy').length
  if (healthy < containers.length)
    return `${healthy} of ${count(containers.length, 'container')} ${healthy === 1 ? 'is' : 'are'} known to be healthy`
  return containers.length === 1 ? 'The one container is healthy' : `All ${containers.length} containers are healthy`
}
