// Step 1 for a plugin: what the Engine tells of a request becomes an `ApiRequest` or a refusal. Pure. The Engine carries out the client's
// own bytes, and not what was understood here: so what could be read in two ways, or is not told, is refused.
import type { ApiRequest } from '../request/api-request.ts'
import type { Operation } from '../request/catalogue.ts'
import { readRequest } from '../request/read-request.ts'
import { type Refusal, refuse } from '../request/refusal.ts'
import { headOf, type PluginMessage } from './plugin-message.ts'

/** Of these the body is judged, with what is told of it. */
const BODY_HEADERS = ['content-length', 'transfer-encoding']

export function readPluginRequest(message: PluginMessage): ApiRequest | Refusal {
  const request = readRequest(headOf(message, BODY_HEADERS))
  if ('verdict' in request) return request
  // Go takes no query with a semicolon; a proxy would write it anew.
  if (message.target.includes(';')) return refuse(400, 'request.query', 'query: a semicolon is not taken; write it as %3B')
  return checkBody(request.operation, message) ?? request
}

/** The methods of requests whose bodies the Engine looks at, if only for a form. */
const WITH_BODY = ['POST', 'PUT', 'PATCH']
/** The Engine takes keys of its query from these, before those of the query itself. */
const FORMS = ['application/x-www-form-urlencoded', 'multipart/form-data']

/**
 * Refuses a body where `operation` takes none, or where there could be one that its plugin is not told of: the Engine passes on only
 * JSON of a bounded size. Sources: CVE-2024-41110 (a body in chunks was not passed on), CVE-2026-34040 (nor one above 1 MiB).
 */
export function checkBody(operation: Operation, { method, headers, body }: PluginMessage): Refusal | undefined {
  const no = (reason: string) => refuse(400, 'request.body', `${operation.id}: ${reason}`)
  const length = headers.get('content-length')
  const type = headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase()
  if (headers.has('transfer-encoding')) return no('a body in chunks is not taken')
  if (type !== undefined && FORMS.includes(type))
    return no('a form is not taken; the Engine would read its keys before those of the query')
  if (operation.body === undefined) {
    if (body !== undefined || (length !== undefined && length !== '0')) return no('the request has a body, and takes none')
    // Of a body in chunks a plugin is told neither that it is there nor, where the header is given twice, of which type.
    if (WITH_BODY.includes(method) && length !== '0') {
      return no('the request does not say that it has no body; send the header Content-Length: 0')
    }
    return undefined
  }
  if (operation.body === 'tar' || type !== 'application/json') return no('the Engine passes on no body to its plugin but JSON')
  if (body === undefined) return no('the Engine has not passed its body on: it is empty, too large, or hidden')
  if (length !== undefined && length !== String(body.length)) return no('its body is not as long as its header says')
  return undefined
}
