// The files of the repository that are made from the code: what machines know of a policy and of the audit log, what a webhook is
// sent, what the healer's API answers, the list of operations, Grafana's dashboard, what a browser gets with the status page, and the seccomp
// profiles.
import { renderWebhookJsonSchema } from '../healer/alert/receivers/webhook-body.ts'
import { renderOpenApi } from '../healer/serve/api/openapi.ts'
import { renderAuditJsonSchema } from '../proxy/audit/json-schema.ts'
import { renderPolicyJsonSchema } from '../proxy/policy/json-schema.ts'
import { CATALOGUE, type Operation, type OperationKind, whyNotServed } from '../proxy/request/catalogue.ts'
import { renderDashboard } from './dashboard/dashboard.ts'
import { renderPageAssets } from './page-assets.ts'
import { renderNetworkProfile, renderProxyProfile } from './seccomp-profiles.ts'

/** Each file's text by its path. */
export function renderGeneratedFiles(): ReadonlyMap<string, string> {
  return new Map([
    ['policies/policy.schema.json', renderPolicyJsonSchema()],
    ['docs/audit-line.schema.json', renderAuditJsonSchema()],
    ['docs/webhook.schema.json', renderWebhookJsonSchema()],
    ['docs/openapi.json', renderOpenApi()],
    ['docs/operations.md', renderOperations()],
    ['healer/serve/page/assets.ts', renderPageAssets()],
    ['compose/grafana/provisioning/dashboards/postern.json', renderDashboard()],
    ['compose/seccomp/proxy.json', renderProxyProfile()],
    ['compose/seccomp/with-network.json', renderNetworkProfile()],
  ])
}

const KINDS: Readonly<Record<OperationKind, string>> = {
  reads: 'reads',
  writes: 'writes',
  root: '**root**',
}

function renderOperations(): string {
  return [
    '# Operations',
    '',
    'Every operation of the Engine API, 1.24 to 1.56, that a policy can name, and those that none can. What is not in this list does not exist',
    'for the proxy: it is refused as `operation.unknown`. Made from `proxy/request/catalogue.ts` by `npm run generate`.',
    '',
    '- **reads** changes nothing. **writes** changes something; `budget` bounds how often, and `when` says in which state of a container.',
    '- **root** amounts to root on the host, hands it out, or makes the Engine connect wherever the client says; it has to be named again under',
    '  `allow_root_equivalent`.',
    '- `show` is what a JSON answer is cut down to, and each object of those that come one by one. Of bytes nothing can be cut: an operation',
    '  that answers with bytes, or gives the connection, takes `show: all` and nothing else.',
    '- A query key takes `[true, false]` (b), a range or list of whole numbers (n), or a list of texts (t). `filters` takes a list of the',
    '  filters named; each is for what is shown, since a filter on what is hidden would tell of it.',
    '- `{container}` is always one of the scope, and so is the one in the query of `ImageCommit` or in the body of `NetworkConnect` and',
    '  `NetworkDisconnect`; `{exec}` is a command that was prepared through the same socket, in a container of the scope. Other objects are seen whole and by name, but for the containers in them: the disk usage tells of',
    '  those in scope alone, a network of none, and events of those in scope.',
    '',
    '| operation | request | kind | answer | query | |',
    '|---|---|---|---|---|---|',
    ...CATALOGUE.map((operation) => `| ${cells(operation).join(' | ')} |`),
    '',
  ].join('\n')
}

const ANSWERS = {
  ...{ json: 'JSON', nothing: '', ping: '`OK`', objects: 'JSON objects, one by one' },
  ...{ stream: 'bytes', hijack: 'the connection' },
}

function cells(operation: Operation): readonly string[] {
  const { id, method, path, kind, answer, query } = operation
  const why = whyNotServed(operation)
  const keys = Object.entries(query).map(([key, type]) =>
    typeof type === 'object'
      ? `${key}: ${Object.keys(type).join(' ')}`
      : `${key} (${{ boolean: 'b', integer: 'n', text: 't', path: 't', container: 'in scope' }[type]})`,
  )
  return [
    `\`${id}\``,
    `\`${method} /${path.join('/')}\``,
    KINDS[kind],
    ANSWERS[answer],
    keys.join(', '),
    why === undefined ? '' : `in no policy: ${why}`,
  ]
}
