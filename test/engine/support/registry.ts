// A registry of images in memory, with a password: as much of the distribution API as an Engine needs to push and to pull.
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

export type Registry = { readonly host: string; readonly user: string; readonly password: string }

type Stored = { readonly type: string; readonly bytes: Buffer }

/** Listens on this machine alone, until the test ends. */
export async function startRegistry(t: Test): Promise<Registry> {
  const [user, password] = ['postern', 'a-password']
  const [blobs, uploads] = [new Map<string, Stored>(), new Map<string, Buffer[]>()]
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const { method = '', url = '', headers } = request
    const { pathname, searchParams } = new URL(url, 'http://registry')
    const body = await readAll(request)
    const given = Buffer.from(headers.authorization?.replace(/^Basic /, '') ?? '', 'base64').toString()
    if (given !== `${user}:${password}`) return response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end()
    if (pathname === '/v2/') return response.writeHead(200).end()
    if (method === 'POST') {
      const upload = `${pathname}${uploads.size + 1}`
      uploads.set(upload, [])
      return response.writeHead(202, { location: upload, 'docker-upload-uuid': '1' }).end()
    }
    if (method === 'PATCH') {
      uploads.get(pathname)?.push(body)
      return response.writeHead(202, { location: pathname, range: `0-${body.length - 1}` }).end()
    }
    if (method === 'PUT') {
      const bytes = Buffer.concat([...(uploads.get(pathname) ?? []), body])
      const digest = searchParams.get('digest') ?? `sha256:${createHash('sha256').update(bytes).digest('hex')}`
      for (const name of [digest, pathname.split('/').at(-1) ?? ''])
        blobs.set(name, { type: headers['content-type'] ?? 'application/octet-stream', bytes })
      return response.writeHead(201, { 'docker-content-digest': digest, location: pathname }).end()
    }
    const found = blobs.get(pathname.split('/').at(-1) ?? '')
    if (!found) return response.writeHead(404).end()
    const digest = `sha256:${createHash('sha256').update(found.bytes).digest('hex')}`
    response.writeHead(200, {
      ...{ 'content-type': found.type, 'content-length': found.bytes.length, 'docker-content-digest': digest },
    })
    return response.end(method === 'HEAD' ? undefined : found.bytes)
  }
  const server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, user, password }
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
