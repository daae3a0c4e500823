// The API versions that the Engine has, asked of it and remembered for a while: it may be replaced by a newer one meanwhile.
import { type ApiVersion, apiMinor } from '../request/api-request.ts'
import { parseJson } from './containers.ts'
import { type Engine, EngineError, READ_TIMEOUT_MS } from './engine.ts'

export type ApiRange = {
  /** What is wrong with `version`, or `undefined` if the Engine has it. Throws `EngineError`. */
  readonly lacks: (version: ApiVersion) => Promise<string | undefined>
}

const REMEMBERED_MS = 60_000

/** `now` gives milliseconds that never go back. */
export function createApiRange(engine: Pick<Engine, 'ask'>, now: () => number): ApiRange {
  let known: { readonly min: number; readonly max: number; readonly atMs: number } | undefined
  return {
    async lacks(version) {
      if (!known || now() - known.atMs > REMEMBERED_MS) known = { ...(await askRange(engine)), atMs: now() }
      const { min, max } = known
      const minor = apiMinor(version)
      return minor >= min && minor <= max
        ? undefined
        : `the API version ${version} is not one that the Engine has: 1.${min} to 1.${max}`
    },
  }
}

async function askRange(engine: Pick<Engine, 'ask'>): Promise<{ min: number; max: number }> {
  const { status, body } = await engine.ask({ method: 'GET', path: '/version', isRead: true, timeoutMs: READ_TIMEOUT_MS })
  const { MinAPIVersion, ApiVersion } = (status === 200 ? (parseJson(body) ?? {}) : {}) as Readonly<Record<string, unknown>>
  const [min, max] = [minorOf(MinAPIVersion), minorOf(ApiVersion)]
  if (min === undefined || max === undefined) {
    throw new EngineError('answer', `the Engine's answer (${status}) to /version tells no range of API versions`)
  }
  return { min, max }
}

function minorOf(version: unknown): number | undefined {
  const minor = typeof version === 'string' ? /^1\.(\d{1,3})$/.exec(version)?.[1] : undefined
  return minor === undefined ? undefined : Number(minor)
}
