// One incident of the status page: what happened in it, step by step, what was found, and who was told.
import { createHash } from 'node:crypto'
import { html } from 'hono/html'
import type { IncidentAnswer } from '../api/schemas.ts'
import { icon } from './container.ts'
import type { Html } from './parts.ts'
import { clock, count, lasted, time } from './words.ts'

/** A key is as long as a container's name. */
export const incidentId = ({ key }: Pick<IncidentAnswer, 'key'>) =>
  `i-${createHash('sha256').update(key).digest('hex').slice(0, 16)}`

export function renderIncident(incident: IncidentAnswer): Html {
  const { container, since, ended, steps, diagnosis, toldTo } = incident
  const id = incidentId(incident)
  const last = steps.at(-1)
  return html`<li id="${id}" class="incident" data-state="${ended === null ? 'open' : 'ended'}">
<h3>${icon(ended === null ? 'unhealthy' : 'healthy')}<span class="name">${container}</span> <span class="standing">${ended === null ? 'open' : `lasted ${lasted(since, ended)}`}</span></h3>
<p class="reason">${time(since, 'ago')}. ${last?.message ?? ''}</p>
<details id="${id}-more" ${ended === null ? 'open' : ''}><summary>${count(steps.length, 'step')}<span class="unseen"> of the incident of ${container}</span></summary>
<ol class="steps">${steps.map(({ at, what, message }) => html`<li data-what="${what}">${clock(at, 'ago')} <strong>${what}</strong> ${message}</li>`)}</ol>
${
  diagnosis
    ? html`<p>Found: ${diagnosis.status}, exit code ${diagnosis.exitCode}${diagnosis.oomKilled ? ', killed for want of memory' : ''}; ${diagnosis.failures.map(({ reason }) => reason).join('; ')}</p>`
    : ''
}
<p>${toldTo.length === 0 ? 'Nobody was told of it.' : `Told to ${toldTo.join(', ')}.`}</p>
</details>
</li>`
}
