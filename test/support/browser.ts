// A real browser for tests: Chromium, where one is installed, or the one that CHROMIUM names. Where REQUIRE_ENGINE=1 a missing one is a
// failure, as a missing Engine is.
import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'
import type { Test } from 'tap'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

const executablePath = process.env.CHROMIUM ?? PLACES.find((place) => existsSync(place))

/** For a test's `skip`: why it cannot be run; `false`: it can, or has to. */
export const withoutBrowser =
  executablePath === undefined && process.env.REQUIRE_ENGINE !== '1'
    ? `no Chromium at ${PLACES.join(', ')}; CHROMIUM names another`
    : false

/** Closed when the test ends. */
export async function startBrowser(t: Test): Promise<Browser> {
  if (executablePath === undefined)
    throw new Error(`there is no Chromium at ${PLACES.join(', ')}, and REQUIRE_ENGINE=1 asks for one`)
  // As root, in a container, Chromium's own sandbox cannot be had; the page under test is ours.
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
  t.teardown(() => browser.close())
  return browser
}
