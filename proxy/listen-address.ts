// The addresses on the command line: `unix:///path`, and a policy with the address it is served at.

/** The path of a `unix:///path` address. Throws a sentence that says what is wrong. */
export function parseUnixAddress(text: string): string {
  const path = /^unix:\/\/(\/[^\0]+)$/.exec(text)?.[1]
  if (path === undefined) throw new Error(`“${text}” is not an address of the form unix:///path/to/socket`)
  if (Buffer.byteLength(path) > 107) throw new Error(`“${text}” is longer than the 107 bytes that a unix socket's path can have`)
  return path
}

export type Serving = { readonly policyFile: string; readonly socketPath: string }

/** `POLICY@LISTEN`, such as `policies/healer.yaml@unix:///run/postern/healer.sock`. */
export function parseServing(text: string): Serving {
  const at = text.lastIndexOf('@')
  if (at < 1) throw new Error(`“${text}” is not POLICY@LISTEN, such as healer.yaml@unix:///run/postern/healer.sock`)
  return { policyFile: text.slice(0, at), socketPath: parseUnixAddress(text.slice(at + 1)) }
}
