#!/usr/bin/env node
// Runs the sample app on PORT (8080) of HOST (every address) and stops at once on SIGTERM, unless it was broken into being stubborn.
// `healthcheck` asks the running one.
import { request } from 'node:http'
import { createSampleApp } from './app.ts'

const port = Number(process.env.PORT ?? 8080)
const say = (message: string) => process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), msg: message })}\n`)

if (process.argv[2] === 'healthcheck') {
  request({ host: '127.0.0.1', port, path: '/health', timeout: 3000 }, ({ statusCode }) =>
    process.exit(statusCode === 200 ? 0 : 1),
  )
    .on('timeout', () => process.exit(1))
    .on('error', () => process.exit(1))
    .end()
} else {
  const { server, isStubborn } = createSampleApp(process.exit)
  server.listen(port, process.env.HOST, () => say(`listening on ${port}`))
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => (isStubborn() ? say(`${signal} ignored: stubborn`) : process.exit(0)))
  }
}
