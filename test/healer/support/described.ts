// Holds answers to the description of the healer's API, as it is in docs/openapi.json, and finds what is wrong with the description itself.
import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'

type Schema = { [key: string]: unknown }
type Operation = {
  operationId?: string
  summary?: string
  parameters?: { name: string; in: string }[]
  security?: unknown[]
  requestBody?: { content: Record<string, { schema: Schema }> }
  responses: Record<string, { description?: string; content?: Record<string, { schema: Schema }> }>
}
type PathItem = { [method: string]: Operation } & { parameters?: never }
export type Description = {
  openapi: string
  info: { title: string; version: string }
  paths: Record<string, PathItem>
  components: { schemas: Record<string, Schema>; securitySchemes: Record<string, Schema> }
}

export const description: Description = JSON.parse(readFileSync('docs/openapi.json', 'utf8'))

const METHODS = ['get', 'post', 'put', 'delete', 'patch', 'head', 'options']

/** Every operation, with its method in capitals and its path. */
export function operations(): readonly { readonly method: string; readonly path: string; readonly operation: Operation }[] {
  return Object.entries(description.paths).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([method]) => METHODS.includes(method))
      .map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  )
}

/** A field that the description does not have is wrong here, though who reads by it has to bear with one. */
function close(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(close)
  if (typeof schema !== 'object' || schema === null) return schema
  const closed = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, close(value)]))
  return 'properties' in closed && closed.type === 'object' ? { ...closed, additionalProperties: false } : closed
}

const isTime = (text: string) => Number.isFinite(Date.parse(text)) && new Date(text).toISOString() === text
const ajv = new Ajv2020({ allErrors: true, strict: true, strictTypes: false, formats: { 'date-time': isTime } })
ajv.addVocabulary(['components'])
ajv.addSchema({ $id: 'api', components: close(description.components) }, 'api', false, false)

const compiled = new Map<string, ReturnType<typeof ajv.compile>>()

/** What is wrong with `body` as the answer to `method` at `path`, with that status; `undefined`: nothing. */
export function whatIsWrong(method: string, path: string, status: number, body: unknown): string | undefined {
  const found = operations().find((one) => one.method === method && one.path === path)?.operation.responses[status]
  const schema = found?.content?.['application/json']?.schema
  if (!schema) return `${method} ${path} is not said to answer ${status}`
  const key = JSON.stringify(schema)
  const validate = compiled.get(key) ?? ajv.compile(JSON.parse(key.replaceAll('"#/', '"api#/')))
  compiled.set(key, validate)
  return validate(body) ? undefined : `${method} ${path}: ${ajv.errorsText(validate.errors)}`
}

/** What is wrong with the description itself, beyond its schemas. */
export function mistakes(): readonly string[] {
  const references = [...JSON.stringify(description).matchAll(/"\$ref":"([^"]+)"/g)].map(([, to = '']) => to)
  const dangling = references.filter(
    (to) => !Object.keys(description.components.schemas).some((name) => to === `#/components/schemas/${name}`),
  )
  const ids = operations().map(({ operation }) => operation.operationId)
  const ofOperations = operations().flatMap(({ method, path, operation }) => {
    const given = [...((description.paths[path]?.parameters as Operation['parameters']) ?? []), ...(operation.parameters ?? [])]
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
    const named = given.filter((parameter) => parameter.in === 'path').map(({ name }) => name)
    const says = (wrong: boolean, what: string) => (wrong ? [`${method} ${path} ${what}`] : [])
    return [
      ...says(!operation.operationId || !operation.summary, 'has no operationId or no summary'),
      ...says(inPath.join() !== named.join(), `has the parameters ${named} for ${inPath}`),
      ...says(
        Object.values(operation.responses).some((one) => !one.description),
        'has an answer without a description',
      ),
      ...says((method === 'GET') === (operation.security !== undefined), 'takes a token if and only if it is no GET'),
    ]
  })
  return [
    ...dangling.map((to) => `${to} is nowhere`),
    ...(new Set(ids).size < ids.length ? ['an operationId is given twice'] : []),
    ...ofOperations,
    ...Object.entries(description.components.schemas).flatMap(([name, schema]) =>
      ajv.validateSchema({ $schema: 'https://json-schema.org/draft/2020-12/schema', ...schema }) === true
        ? []
        : [`${name}: ${ajv.errorsText()}`],
    ),
  ]
}
