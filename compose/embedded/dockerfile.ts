// Reads from compose/Dockerfile what running a target as a plain process takes: its command, environment, exposed ports,
// user and health check. Knows the instructions that file uses and refuses to guess at others.

export type Image = {
  /** ENTRYPOINT and CMD together, without what has Node confine itself: Node 20 does not know it, and a plain process is not confined. */
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly tcpPorts: readonly number[]
  /** `UID:GID`; absent for an image that starts as root. */
  readonly user: string | undefined
  readonly healthcheck: Healthcheck | undefined
  /** The program: its path in the image, where `/app` has what `dist/` has here. */
  readonly program: string
}

export type Healthcheck = {
  readonly command: readonly string[]
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly retries: number
  readonly startPeriodMs: number
  /** The interval within the start period. */
  readonly startIntervalMs: number
}

const CONFINES = /^--(?:permission$|allow-fs-)/

/** The image that the stage `target` of the Dockerfile in `text` makes. Throws where there is none. */
export function readImage(text: string, target: string): Image {
  const stage = instructions(text)
    .split(new RegExp(`^FROM \\S+ AS ${target}$`, 'm'))[1]
    ?.split(/^FROM /m)[0]
  if (stage === undefined) throw new Error(`the Dockerfile has no stage ${target}`)
  const all = (name: string) => [...stage.matchAll(new RegExp(`^${name} (.*)$`, 'gm'))].map((match) => match[1] ?? '')
  const exec = (name: string) => all(name).flatMap((json) => JSON.parse(json) as string[])
  const health = all('HEALTHCHECK')[0]
  const command = [...exec('ENTRYPOINT'), ...exec('CMD')].filter((word) => !CONFINES.test(word))
  const program = command.find((word) => word.startsWith('/app/'))
  if (program === undefined) throw new Error(`the Dockerfile’s stage ${target} starts nothing in /app`)
  return {
    command,
    program,
    env: Object.fromEntries(
      all('ENV').flatMap((line) => [...line.matchAll(/(\S+?)=(\S+)/g)].map((match) => [match[1], match[2]])),
    ),
    tcpPorts: all('EXPOSE').map(Number),
    user: all('USER')[0],
    healthcheck: health === undefined ? undefined : readHealthcheck(health),
  }
}

/** One instruction per line, without comments. */
function instructions(text: string): string {
  return text.replace(/^#.*\n/gm, '').replace(/\\\n\s*/g, ' ')
}

function readHealthcheck(line: string): Healthcheck {
  const option = (name: string, fallback: number) => {
    const seconds = new RegExp(`--${name}=(\\d+)s`).exec(line)?.[1]
    return seconds === undefined ? fallback : Number(seconds) * 1000
  }
  return {
    command: JSON.parse(line.slice(line.indexOf('CMD ') + 4)) as string[],
    intervalMs: option('interval', 30_000),
    timeoutMs: option('timeout', 30_000),
    retries: Number(/--retries=(\d+)/.exec(line)?.[1] ?? 3),
    startPeriodMs: option('start-period', 0),
    startIntervalMs: option('start-interval', 5000),
  }
}
