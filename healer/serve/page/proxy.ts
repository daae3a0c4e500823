// The proxy on the status page: whether it is there, what it refused, and what is left of its budgets.
import { html } from 'hono/html'
import type { ProxyAnswer } from '../api/schemas.ts'
import type { Html } from './parts.ts'
import { sentence } from './words.ts'

const SHOWN = 20

export function renderProxy({ state, message, engineUp, audit, decisions, refusals, budgets }: ProxyAnswer): Html {
  const fact = (what: string, value: Html | string) => html`<div><dt>${what}</dt><dd>${value}</dd></div>`
  const verdicts = decisions.map(({ client, verdict, requests }) => `${client}: ${requests.toLocaleString('en')} ${verdict}`)
  const isUp = state === 'up'
  return html`<section id="proxy" aria-labelledby="proxy-heading">
<h2 id="proxy-heading">Proxy</h2>
${isUp ? '' : html`<p class="trouble">${sentence(message)}</p>`}
<dl class="facts">
${fact('Proxy', state)}
${fact('Docker Engine', engineUp === null ? 'not known' : engineUp ? 'answers' : 'does not answer')}
${fact('Decisions', verdicts.length > 0 ? verdicts.join(', ') : isUp ? 'none yet' : 'not known')}
${fact('Audit log', audit.sequence === null ? 'not known' : html`line ${audit.sequence.toLocaleString('en')}${audit.fingerprint === null ? '' : html` of <code title="${audit.fingerprint}">${audit.fingerprint.slice(0, 19)}…</code>`}`)}
</dl>
${renderTable(
  'Budgets',
  ['Operation', 'Client', 'Left of the', 'Left now'],
  budgets.map(({ operation, client, of, left }) => [
    operation,
    client,
    of === 'client' ? 'client’s own' : 'container that has the fewest',
    String(left),
  ]),
  isUp ? 'The policy has no budgets.' : '',
)}
${renderTable(
  'Refusals',
  ['Operation', 'Client', 'Rule', 'Requests'],
  refusals.map(({ operation, client, rule, requests }) => [operation, client, rule, requests.toLocaleString('en')]),
  isUp ? 'Nothing was refused since the proxy was started.' : '',
)}
</section>`
}

function renderTable(title: string, heads: readonly string[], rows: readonly (readonly string[])[], none: string): Html | string {
  if (rows.length === 0) return none === '' ? '' : html`<p class="quiet">${none}</p>`
  const more = rows.length - SHOWN
  return html`<div class="table" tabindex="0" role="region" aria-label="${title}"><table><caption>${title}</caption>
<thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead>
<tbody>${rows.slice(0, SHOWN).map((cells) => html`<tr>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody>
</table></div>${more > 0 ? html`<p class="quiet">And ${more} more: <a href="/api/proxy">/api/proxy</a></p>` : ''}`
}
