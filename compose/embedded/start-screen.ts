// How `npm start` tells what happens: a live picture with the log above it on a terminal, plain lines everywhere else.
import type { ContainerAnswer, ProxyAnswer } from '../../healer/serve/api/schemas.ts'
import type { Composition } from './composition.ts'
import { createLiveRegion, isLive, type Terminal, type Tone } from './live-region.ts'
import type { ReadableLine } from './log-line.ts'
import { drawStart, type Seen } from './start-picture.ts'

export type StartScreen = {
  /** A line of a service's log. */
  readonly line: (service: string, line: ReadableLine) => void
  readonly started: (composition: Pick<Composition, 'urls' | 'notRun'>) => void
  readonly stopping: () => void
  /** `words`: the last ones. */
  readonly end: (words?: string) => void
}

export function createStartScreen(stdout: NodeJS.WriteStream, env: NodeJS.ProcessEnv): StartScreen {
  return isLive(stdout, env) ? createLiveScreen(stdout) : createPlainScreen((text) => void stdout.write(`${text}\n`))
}

function createPlainScreen(out: (text: string) => void): StartScreen {
  return {
    line: (service, { time, message }) => out(`${time}  ${service.padEnd(10)}  ${message}`),
    started: ({ urls, notRun }) =>
      out(
        [
          '',
          'Postern on the embedded engine: for trying and testing, without Docker. Nothing is confined here.',
          '',
          `  sample app   ${urls['sample-app']}`,
          `  status       ${urls.healer}`,
          '',
          `Not run, for they take Docker: ${notRun.join(', ')}.`,
          '',
          `Next, in another terminal:  curl -X POST ${urls['sample-app']?.replace('http://', '')}/break`,
          'and watch it being healed below. Also ?mode=hang, slow, stubborn, crash or requests. Ctrl-C stops it all.',
          '',
        ].join('\n'),
      ),
    stopping: () => out('stopping'),
    end: (words) => words !== undefined && out(words),
  }
}

const LOOK_EVERY_MS = 500
/** Before that it is starting, and need not answer. */
const HEALER_UP_WITHIN_MS = 30_000
const LEVELS: Readonly<Record<string, Tone>> = { warn: 'yellow', error: 'red', fatal: 'red' }

export function createLiveScreen(terminal: Terminal, look = lookAtHealer): StartScreen {
  let seen: Seen | undefined = { doing: 'starting proxy, healer and sample app' }
  let timer: NodeJS.Timeout | undefined
  let wasAsked = false
  const region = createLiveRegion(terminal, (columns, rows) => (seen ? drawStart(seen, Date.now(), columns, rows) : []))
  region.refresh()
  const givenUpMs = Date.now() + HEALER_UP_WITHIN_MS
  const watch = async (urls: Composition['urls']) => {
    const found = await look(urls.healer ?? '')
    if (!seen || seen.doing !== undefined) return
    wasAsked ||= found.trouble === undefined || Date.now() > givenUpMs
    if (wasAsked) seen = { ...seen, ...found }
    region.refresh()
    timer = setTimeout(() => void watch(urls), LOOK_EVERY_MS).unref()
  }
  return {
    line: (service, { time, level, message }) => {
      const tone = LEVELS[level]
      region.print([[`${time}  `, 'dim'], [`${service.padEnd(10)}  `, 'cyan'], tone ? [message, tone] : [message]])
    },
    started({ urls, notRun }) {
      seen = { urls }
      region.print([[`Not run, for they take Docker: ${notRun.join(', ')}.`, 'dim']])
      void watch(urls)
    },
    stopping() {
      clearTimeout(timer)
      seen = { doing: 'stopping' }
      region.refresh()
    },
    end(words) {
      clearTimeout(timer)
      seen = undefined
      if (words !== undefined) region.print([[words]])
      region.end()
    },
  }
}

/** What the healer at `url` says of containers and proxy, or why it says nothing. Never rejects. */
async function lookAtHealer(url: string): Promise<Pick<Seen, 'containers' | 'proxy' | 'trouble'>> {
  const get = async (path: string) => {
    const answer = await fetch(`${url}${path}`, { signal: AbortSignal.timeout(2000) })
    if (!answer.ok) throw new Error(`it answered ${answer.status}`)
    return answer.json()
  }
  try {
    const [containers, proxy] = await Promise.all([get('/api/containers'), get('/api/proxy')])
    return { containers: containers as readonly ContainerAnswer[], proxy: proxy as ProxyAnswer, trouble: undefined }
  } catch (error) {
    return { containers: undefined, proxy: undefined, trouble: `it does not answer: ${(error as Error).message}` }
  }
}
