// The headers that go back to a client with an answer that goes on: a few, whose values were checked. Pure.
import type { EngineAnswer } from '../engine/engine.ts'
import type { Operation } from '../request/catalogue.ts'

const CONTENT_TYPES = [
  'application/json',
  'application/x-ndjson',
  'application/x-tar',
  'application/octet-stream',
  'application/vnd.docker.raw-stream',
  'application/vnd.docker.multiplexed-stream',
  'text/plain',
]

/** Of the Engine's headers, those that clients need. */
export function openHeaders(headers: EngineAnswer['headers'], { id }: Operation): Readonly<Record<string, string>> {
  const type = textOf(headers['content-type'])?.split(';', 1)[0]?.trim().toLowerCase()
  const stat = headers['x-docker-container-path-stat']
  const tellsStat = (id === 'ContainerArchive' || id === 'ContainerArchiveInfo') && typeof stat === 'string' && BASE64.test(stat)
  return {
    ...(type !== undefined && CONTENT_TYPES.includes(type) ? { 'content-type': type } : {}),
    ...(tellsStat ? { 'x-docker-container-path-stat': stat } : {}),
  }
}

const BASE64 = /^[A-Za-z0-9+/=_-]*$/

function textOf(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}
