// One container of the status page: what is known of it, why it is not restarted and what to do, and more on demand.
import { html } from 'hono/html'
import { renderDuration } from '../../settings/duration.ts'
import type { ContainerAnswer, IncidentAnswer } from '../api/schemas.ts'
import type { Html } from './parts.ts'
import { renderStrip } from './strip.ts'
import { clock, count, latency, percent, sentence, time } from './words.ts'

export const containerId = ({ id }: Pick<ContainerAnswer, 'id'>) => `c-${id}`

/** The health, or what is being done about it. */
export function standingOf({ health, status }: ContainerAnswer, open: IncidentAnswer | undefined): string {
  if (open?.steps.at(-1)?.what === 'restarting') return 'restarting'
  return status !== 'running' && health !== 'unhealthy' ? 'stopped' : health
}

export function icon(standing: string): Html {
  return html`<svg class="icon" aria-hidden="true" data-standing="${standing}"><use href="#icon-${standing}"/></svg>`
}

/** `open`: its incident that has not ended. */
export function renderContainer(container: ContainerAnswer, open: IncidentAnswer | undefined): Html {
  const { name, lastProbe, uptime, nextProbe } = container
  const id = containerId(container)
  const standing = standingOf(container, open)
  const fact = (what: string, value: Html | string) => html`<div><dt>${what}</dt><dd>${value}</dd></div>`
  return html`<li id="${id}" class="container" data-standing="${standing}" data-name="${name}">
<h3>${icon(standing)}<span class="name">${name}</span> <span class="standing">${standing}</span></h3>
<p class="reason">${open?.steps.at(-1)?.what === 'restarting' ? open.steps.at(-1)?.message : container.reason}</p>
${renderStrip(container.strip)}
<dl class="facts">
${fact('Latency', lastProbe ? latency(lastProbe.durationMs) : '–')}
${fact('Up, 24 h', percent(uptime.day.ratio))}
${fact('Up, 7 d', percent(uptime.week.ratio))}
${fact('Restarts', renderRestarts(container))}
${fact('Next probe', clock(nextProbe, 'until'))}
</dl>
${renderTroubles(container)}
<details id="${id}-more"><summary>Details<span class="unseen"> of ${name}</span></summary>
<dl class="more">${renderMore(container).map(([what, value]) => fact(what, value))}</dl>
</details>
</li>`
}

function renderRestarts({ lastRestarts }: ContainerAnswer): Html | string {
  const last = lastRestarts.at(-1)
  return last ? html`${lastRestarts.length}, ${clock(last.at, 'ago')}` : '0'
}

/** What a person should know of it, and do. */
function renderTroubles({ held, nextRestart, health, paused, pausedUntil, rules, problems }: ContainerAnswer): Html[] {
  return [
    ...(held
      ? [
          html`<p class="trouble"><strong>Not restarted</strong> (${held.reason}) since ${clock(held.since, 'ago')}: ${sentence(held.message)}${held.until ? html` Until ${clock(held.until, 'until')}.` : ''} <span class="cure">What to do: ${sentence(held.cure)}</span></p>`,
        ]
      : []),
    ...(!held && health === 'unhealthy' && nextRestart.at
      ? [html`<p class="trouble"><strong>Next restart</strong> not before ${clock(nextRestart.at, 'until')}.</p>`]
      : []),
    ...(paused && held?.reason !== 'paused'
      ? [
          html`<p class="trouble"><strong>Paused</strong>${pausedUntil ? html` until ${time(pausedUntil, 'until')}` : ', until it is resumed'}: it would not be restarted.</p>`,
        ]
      : []),
    ...rules.map(
      ({ name, summary }) => html`<p class="trouble"><strong>Alert ${name} fires</strong>${summary && `: ${summary}`}</p>`,
    ),
    ...problems.map((problem) => html`<p class="trouble"><strong>Configuration</strong>: ${problem}</p>`),
  ]
}

function renderMore(container: ContainerAnswer): readonly (readonly [string, Html | string])[] {
  const { id, status, probe, probeAddress, settings, strip, diagnosis, lastRestarts, failures, uptime } = container
  const durations = strip.map(({ durationMs }) => durationMs).sort((a, b) => a - b)
  const median = durations[Math.floor(durations.length / 2)]
  const slowest = durations.at(-1)
  const failed = strip.filter(({ result }) => result !== 'success').slice(-5)
  const dryRun = settings.dryRun ? '; DRY_RUN, so nothing is restarted' : ''
  return [
    ['Probe', `${probe || 'not probed yet'}${probeAddress && !probe.includes(probeAddress) ? `, at ${probeAddress}` : ''}`],
    [
      'Settings',
      `every ${renderDuration(settings.intervalMs)}, ${renderDuration(settings.timeoutMs)} to answer; restarted after ${count(settings.retries, 'failure')}, ${settings.maxRestarts} times at most${settings.action === 'none' ? '; healer.action=none' : ''}${dryRun}`,
    ],
    ...(median === undefined || slowest === undefined
      ? []
      : ([['Latency', `${latency(median)} in the middle, ${latency(slowest)} at most`]] as const)),
    ['Known', `${renderDuration(uptime.week.knownMs)} of the last 7 d; since the healer was started`],
    ...(failures > 0 ? ([['Failures', `${failures} in a row`]] as const) : []),
    ...(failed.length > 0
      ? ([
          ['Not healthy', html`<ul>${failed.map(({ at, reason }) => html`<li>${clock(at, 'ago')}: ${reason}</li>`)}</ul>`],
        ] as const)
      : []),
    ...(diagnosis
      ? ([
          [
            'Before the restart',
            `${diagnosis.status}, exit code ${diagnosis.exitCode}${diagnosis.oomKilled ? ', killed for want of memory' : ''}; ${diagnosis.failures.join('; ')}`,
          ],
        ] as const)
      : []),
    ...(lastRestarts.length > 0
      ? ([
          [
            'Restarts',
            html`<ul>${lastRestarts.map(({ at, outcome }) => html`<li>${time(at, 'ago')}: ${outcome === 'failed' ? 'it failed' : outcome}</li>`)}</ul>`,
          ],
        ] as const)
      : []),
    ['Container', html`${status}, <code>${id.slice(0, 12)}</code>`],
  ]
}
