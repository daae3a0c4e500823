// A typed request as the request line that a policy's tests have. Pure.
import type { ApiRequest, QueryValue } from '../request/api-request.ts'

/** Such as `POST /containers/web/restart?t=5`; `undefined` where a name in the path is not known. */
export function requestLine({ operation, container, names, query }: ApiRequest): string | undefined {
  const segments = operation.path.map((part) => {
    if (!part.startsWith('{')) return part
    return part === '{container}' ? container : names.get(part.slice(1, -1))
  })
  if (segments.includes(undefined)) return undefined
  const values = [...query].map(([key, given]) => `${key}=${encodeURIComponent(textOf(given))}`)
  return `${operation.method} /${segments.join('/')}${values.length > 0 ? `?${values.join('&')}` : ''}`
}

function textOf(given: QueryValue): string {
  return given.type === 'filters' ? JSON.stringify(Object.fromEntries(given.value)) : String(given.value)
}
