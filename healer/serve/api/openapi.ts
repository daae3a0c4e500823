// The description of the JSON API, OpenAPI 3.1: docs/openapi.json, and what `/api/openapi.json` answers. Its schemas are those that type
// the answers; a test holds every answer, and every route, to it.
import * as z from 'zod'
import {
  containerSchema,
  controlAnswerSchema,
  hookAnswerSchema,
  incidentSchema,
  lookSchema,
  pauseInputSchema,
  proxySchema,
  refusalSchema,
} from './schemas.ts'

const COMPONENTS = {
  Container: containerSchema,
  Look: lookSchema,
  Incident: incidentSchema,
  Proxy: proxySchema,
  Refusal: refusalSchema,
  PauseInput: pauseInputSchema,
  ControlAnswer: controlAnswerSchema,
  HookAnswer: hookAnswerSchema,
} as const
type Component = keyof typeof COMPONENTS

const ref = (name: Component) => ({ $ref: `#/components/schemas/${name}` })
const list = (name: Component) => ({ type: 'array', items: ref(name) })
const json = (schema: object, description: string) => ({ description, content: { 'application/json': { schema } } })
const refusal = (description: string) => json(ref('Refusal'), description)

const nameParameter = {
  ...{ name: 'name', in: 'path', required: true },
  ...{ description: 'the container’s name, as Docker has it', schema: { type: 'string' } },
}

const read = (operationId: string, summary: string, schema: object, more: object = {}) => ({
  get: { operationId, summary, responses: { 200: json(schema, summary), ...more } },
})

const REFUSED = {
  400: refusal('what was sent is wrong'),
  401: refusal('the token is missing or wrong'),
  403: refusal('HEALER_TOKEN is not set, or a page of another origin asks'),
  413: refusal('the body is too large'),
}
const NO_CONTAINER = refusal('no container of that name is watched')

const control = (operationId: string, summary: string, more: object = {}) => ({
  parameters: [nameParameter],
  post: {
    ...{ operationId, summary, security: [{ token: [] }], ...more },
    responses: { 200: json(ref('ControlAnswer'), 'it holds, on the disk too'), ...REFUSED, 404: NO_CONTAINER },
  },
})

const PAUSE = {
  description: 'The time may be given in the query or in the body, once.',
  parameters: [{ name: 'for', in: 'query', description: 'such as 2h', schema: { type: 'string' } }],
  requestBody: { required: false, content: { 'application/json': { schema: ref('PauseInput') } } },
}

const paths = {
  '/api/containers': read('listContainers', 'every container that is watched, by name', list('Container')),
  '/api/containers/{name}': {
    parameters: [nameParameter],
    ...read('getContainer', 'one container, with its whole strip', ref('Container'), { 404: NO_CONTAINER }),
  },
  '/api/incidents': read('listIncidents', 'incidents, the youngest first', list('Incident')),
  '/api/proxy': read('getProxy', 'the proxy, as its metrics show it', ref('Proxy')),
  '/api/openapi.json': read('getDescription', 'this description', { type: 'object' }),
  '/api/containers/{name}/reset': control('resetContainer', 'ends giving up; past restarts weigh nothing any more'),
  '/api/containers/{name}/pause': control('pauseContainer', 'no restarts for a time, or until it is resumed', PAUSE),
  '/api/containers/{name}/resume': control('resumeContainer', 'ends the pause'),
  '/api/hooks/alertmanager': {
    post: {
      operationId: 'takeAlerts',
      summary: 'Alertmanager’s webhook, version 4: takes note of alerts that fire and those that are resolved',
      security: [{ token: [] }],
      requestBody: { required: true, content: { 'application/json': { schema: { type: 'object' } } } },
      responses: {
        200: json(ref('HookAnswer'), 'what became of each alert'),
        ...REFUSED,
        503: refusal('it is not known yet which containers there are; ask again'),
      },
    },
  },
}

/** The text of docs/openapi.json. */
export function renderOpenApi(): string {
  const document = {
    openapi: '3.1.0',
    info: {
      title: 'Postern’s healer',
      version: '1',
      description:
        'What the healer knows of the containers that it watches, and what it may be told. A field is never taken away and never means something else; new ones may come.',
    },
    paths,
    components: {
      schemas: renderSchemas(),
      securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'HEALER_TOKEN' } },
    },
  }
  return `${JSON.stringify(document, null, 1)}\n`
}

function renderSchemas(): Readonly<Record<string, object>> {
  const registry = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(COMPONENTS)) registry.add(schema, { id })
  const { schemas } = z.toJSONSchema(registry, { io: 'input', uri: (id) => `#/components/schemas/${id}` })
  // In a document that holds them all they have no dialect and no address of their own.
  return Object.fromEntries(Object.entries(schemas).map(([id, { $schema: _dialect, $id: _address, ...schema }]) => [id, schema]))
}
