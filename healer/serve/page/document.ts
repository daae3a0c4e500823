// The status page as one document: whole without scripts, and kept up to date by one where they run. Every text in it is escaped, and it
// asks nothing of anywhere else.
import { html, raw } from 'hono/html'
import type { Html, Parts } from './parts.ts'

export function renderDocument({ html: parts, lists, version }: Parts & { readonly version: string }, nowMs: number): Html {
  // These were made by `html`, which escaped what was put into them.
  const part = (id: string) => raw(parts.get(id) ?? '')
  const made = new Date(nowMs).toISOString()
  return html`<!doctype html>
<html lang="en" data-version="${version}" data-now="${nowMs}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Postern</title>
<link rel="icon" href="/page/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/page/page.css">
<script src="/page/page.js" defer></script>
<noscript><meta http-equiv="refresh" content="15"></noscript>
</head>
<body>
${raw(ICONS)}
<a class="skip" href="#containers-heading">Skip to the containers</a>
<header>
<h1><svg class="logo" aria-hidden="true"><use href="#icon-postern"/></svg>Postern</h1>
<p id="live" data-state="still">as of <time datetime="${made}">${made.slice(0, 10)} ${made.slice(11, 19)} UTC</time></p>
</header>
<main>
${part('attention')}
<section aria-labelledby="containers-heading">
<div class="bar">
<h2 id="containers-heading" tabindex="-1">Containers</h2>
<form id="filter" role="search" hidden>
<label><span class="unseen">Show those whose name has</span><input type="search" name="name" placeholder="Find by name" autocomplete="off" spellcheck="false"></label>
<label><input type="checkbox" name="ill"> Not healthy only</label>
</form>
</div>
<ul id="containers" class="list">${lists.containers.map(part)}</ul>
<p id="none-found" hidden>None is like that.</p>
</section>
<section aria-labelledby="incidents-heading">
<h2 id="incidents-heading">Incidents</h2>
<ol id="incidents" class="list">${lists.incidents.map(part)}</ol>
<p class="quiet">The last hundred are kept: <a href="/api/incidents">/api/incidents</a></p>
</section>
${part('proxy')}
</main>
<footer>
<p>Read-only: pausing and resetting take the token. As JSON: <a href="/api/containers">containers</a>, <a href="/api/incidents">incidents</a>, <a href="/api/proxy">proxy</a>, <a href="/api/openapi.json">described</a>. <a href="/metrics">Metrics</a>.</p>
</footer>
</body>
</html>`
}

const symbol = (id: string, shapes: string) => `<symbol id="icon-${id}" viewBox="0 0 16 16">${shapes}</symbol>`
const stroke = 'fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"'

/** Each of another shape, for who cannot tell the colours apart. */
const ICONS = `<svg hidden>${[
  symbol(
    'healthy',
    `<circle cx="8" cy="8" r="7" fill="currentColor"/><path d="m4.8 8.3 2.2 2.2 4.2-4.6" ${stroke} class="mark"/>`,
  ),
  symbol('suspect', `<path d="M8 1.5 15.2 14.5H.8Z" fill="currentColor"/><path d="M8 6v3.6M8 12h.01" ${stroke} class="mark"/>`),
  symbol(
    'unhealthy',
    `<path d="M5 1h6l4 4v6l-4 4H5l-4-4V5Z" fill="currentColor"/><path d="m5.5 5.5 5 5m0-5-5 5" ${stroke} class="mark"/>`,
  ),
  symbol('restarting', `<path d="M13.5 8a5.5 5.5 0 1 1-1.8-4.1M12 1v3.2H8.8" ${stroke}/>`),
  symbol('starting', `<circle cx="8" cy="8" r="6" ${stroke} stroke-dasharray="2.6 3.7"/>`),
  symbol(
    'unknown',
    `<circle cx="8" cy="8" r="6" ${stroke}/><path d="M6.3 6.4a1.8 1.8 0 1 1 2.6 1.7c-.6.3-.9.6-.9 1.2M8 11.6h.01" ${stroke} stroke-width="1.6"/>`,
  ),
  symbol('stopped', `<rect x="2" y="2" width="12" height="12" rx="2" ${stroke}/>`),
  symbol('postern', `<path d="M2 15V7a6 6 0 0 1 12 0v8Z" ${stroke}/><path d="M8 7v5M5.6 9.5h4.8" ${stroke}/>`),
].join('')}</svg>`
