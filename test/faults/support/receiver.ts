// A receiver of alerts: what it was posted, and how it can fail: gone, or silent. Takes what a webhook and what Slack is sent.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { freePort } from '../../support/free-port.ts'

export type Alert = {
  readonly id: string
  readonly incident: string
  readonly event: string
  readonly container: string
}

export type Receiver = {
  readonly port: number
  /** Those that it took at `/hook`, in order. */
  readonly alerts: () => readonly Alert[]
  /** The texts that it took at `/slack`. */
  readonly texts: () => readonly string[]
  /** `silent`: it takes connections, and answers nobody. */
  readonly fail: (how: 'gone' | 'silent') => Promise<void>
  readonly recover: () => Promise<void>
  /** Requests that it left without an answer. */
  readonly ignored: () => number
}

export async function startReceiver(host = '127.0.0.1'): Promise<Receiver> {
  const port = await freePort()
  const alerts: Alert[] = []
  const texts: string[] = []
  let isSilent = false
  let ignored = 0
  const server = createServer((request, response) => void take(request, response))
  const take = async (request: IncomingMessage, response: ServerResponse) => {
    let body = ''
    for await (const text of request.setEncoding('utf8')) body += text
    if (isSilent) {
      ignored += 1
      return
    }
    if (request.url === '/slack') texts.push(body)
    else if (request.url === '/hook') alerts.push(...JSON.parse(body).alerts)
    response.end('ok')
  }
  const listen = () => new Promise<void>((resolve) => server.listen(port, host, resolve))
  await listen()
  return {
    port,
    alerts: () => alerts,
    texts: () => texts,
    ignored: () => ignored,
    async fail(how) {
      isSilent = how === 'silent'
      if (isSilent) return
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
    async recover() {
      isSilent = false
      server.closeAllConnections()
      if (!server.listening) await listen()
    },
  }
}
