// The closed list of Engine API operations that a policy can name, as data. What is not in it does not exist.
// Never decides anything: whether an operation is allowed is the policy's to say.

/** How a query value is written: `true|false|1|0`, a decimal integer of at most nine digits, or Docker's JSON filters. */
export type QueryType = 'boolean' | 'integer' | 'filters'

/** What an operation does to the Engine. Further kinds (streams, hijacks, root on the host) come with their operations. */
export type OperationKind = 'reads' | 'writes'

/** What the Engine answers with: JSON, which a policy cuts down; nothing; or the fixed text of a ping. */
export type AnswerKind = 'json' | 'nothing' | 'ping'

export type Operation = {
  /** The newest `operationId` in the Engine's own API description. */
  readonly id: string
  readonly method: 'GET' | 'POST'
  /** The path below the version. `{id}` is one segment that names a container. */
  readonly path: string
  readonly query: Readonly<Record<string, QueryType>>
  /** Names that the operation's `filters` query takes. */
  readonly filters?: readonly string[]
  readonly kind: OperationKind
  readonly answer: AnswerKind
}

/** Source: the Engine API's description, versions 1.24 to 1.55. */
const OPERATIONS = [
  { id: 'SystemPing', method: 'GET', path: '/_ping', query: {}, kind: 'reads', answer: 'ping' },
  { id: 'SystemVersion', method: 'GET', path: '/version', query: {}, kind: 'reads', answer: 'json' },
  {
    id: 'ContainerList',
    method: 'GET',
    path: '/containers/json',
    // `limit`, `before` and `since` are left out for good: they tell of containers outside the scope.
    query: { all: 'boolean', filters: 'filters' },
    filters: ['health', 'label', 'status'],
    kind: 'reads',
    answer: 'json',
  },
  { id: 'ContainerInspect', method: 'GET', path: '/containers/{id}/json', query: {}, kind: 'reads', answer: 'json' },
  {
    id: 'ContainerRestart',
    method: 'POST',
    path: '/containers/{id}/restart',
    query: { t: 'integer' },
    kind: 'writes',
    answer: 'nothing',
  },
] as const satisfies readonly Operation[]

export type OperationId = (typeof OPERATIONS)[number]['id']

/** An operation of the catalogue, widened to the common shape. */
export type CatalogueOperation = Operation & { readonly id: OperationId }

export const CATALOGUE: readonly CatalogueOperation[] = OPERATIONS

/** API versions a request may name, `v1.24` to `v1.55`. */
export const API_MINOR_MIN = 24
export const API_MINOR_MAX = 55
