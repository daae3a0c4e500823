// Asks a running proxy, over its metrics socket, whether it answers and reaches the Engine.
import { Client } from 'undici'

/** Resolves with `ok`; throws with the reason why not. */
export async function checkHealth(socketPath: string): Promise<string> {
  const client = new Client('http://proxy', { socketPath, headersTimeout: 6000, bodyTimeout: 6000 })
  try {
    const { statusCode, body } = await client.request({ method: 'GET', path: '/healthz' })
    const text = (await body.text()).trim()
    if (statusCode !== 200) throw new Error(text)
    return text
  } finally {
    await client.destroy()
  }
}
