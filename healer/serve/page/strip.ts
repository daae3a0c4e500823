// The strip of a container's last probes, the newest at the right. Results differ by shape as well as by colour: a bar for a success, a
// taller bar that is broken for a failure, a dot where nobody could tell.
import { html } from 'hono/html'
import { MAX_LOOKS } from '../../health/history.ts'
import type { ContainerAnswer } from '../api/schemas.ts'
import type { Html } from './parts.ts'
import { count } from './words.ts'

type Look = ContainerAnswer['strip'][number]

const STEP = 5
const WIDTH = MAX_LOOKS * STEP
const SHAPES: Readonly<Record<Look['result'], string>> = { success: 'v12', failure: 'm0-4v7m0 6v7', unknown: 'm0 6h.01' }
const RESULTS = ['success', 'failure', 'unknown'] as const

export function renderStrip(looks: readonly Look[]): Html {
  const first = MAX_LOOKS - looks.length
  const path = (result: Look['result']) =>
    looks.map((look, i) => (look.result === result ? `M${(first + i) * STEP + 2.5} 6${SHAPES[result]}` : '')).join('')
  const none = first === 0 ? '' : html`<path class="none" d="M2 12H${first * STEP}"/>`
  return html`<svg class="strip" viewBox="0 0 ${WIDTH} 24" role="img" aria-label="${describe(looks)}">${none}${RESULTS.map((result) => html`<path class="${result}" d="${path(result)}"/>`)}</svg>`
}

function describe(looks: readonly Look[]): string {
  const of = (result: Look['result']) => looks.filter((look) => look.result === result).length
  if (looks.length === 0) return 'not probed yet'
  const unknown = of('unknown') === 0 ? '' : `, ${of('unknown')} unknown`
  return `the last ${count(looks.length, 'probe')}: ${of('success')} succeeded, ${of('failure')} failed${unknown}`
}
