// The status page: every container with its health and why. Names and labels come from strangers; `html` escapes them.
import { html } from 'hono/html'
import type { HealerView } from '../loop/healer.ts'
import type { WatchedContainer } from '../loop/watch.ts'

export function renderPage({ containers, docker, holdSinceMs }: HealerView) {
  const byName = [...containers].sort((a, b) => a.summary.name.localeCompare(b.summary.name))
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="5">
<title>Postern</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid #8884; vertical-align: top }
</style>
</head>
<body>
<h1>Postern</h1>
${docker.reachable ? '' : html`<p><strong>Docker cannot be asked:</strong> ${docker.message}. Probing goes on; restarts wait.</p>`}
${holdSinceMs === undefined ? '' : html`<p><strong>Restarts are held:</strong> most containers began to fail at once, so the healer’s own network may be what is ill.</p>`}
${
  byName.length === 0
    ? html`<p>No container is watched. Label one <code>monitored=true</code>.</p>`
    : html`<table>
<thead><tr><th>Container</th><th>Health</th><th>Why</th><th>Probe</th><th>Restarts</th></tr></thead>
<tbody>${byName.map(renderRow)}</tbody>
</table>`
}
</body>
</html>`
}

function renderRow({ summary, state, probe, problems, pausedUntilMs, rules }: WatchedContainer) {
  return html`<tr>
<td>${summary.name}</td>
<td>${state.health}${state.failures > 0 ? ` (${state.failures} failed)` : ''}</td>
<td>${state.reason}${state.notRestarting ? html`<br>not restarted: ${state.notRestarting}` : ''}${pausedUntilMs === undefined ? '' : html`<br>restarts are paused`}${rules.map(({ name }) => html`<br>alert ${name} fires`)}${problems.map(({ message }) => html`<br>label: ${message}`)}</td>
<td>${probe}</td>
<td>${state.escalation.restarts}</td>
</tr>`
}
