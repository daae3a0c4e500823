// What a client asked for, after reading: typed values only. No byte of the request line or the headers is in here
// except values whose grammar was checked.
import type { Operation } from './catalogue.ts'

declare const brand: unique symbol

/** A container as the client named it: a name, an id or the beginning of one. Checked against the Engine's grammar. */
export type ContainerRef = string & { readonly [brand]: 'ContainerRef' }

/** Another object as the client named it: an image, a network, a volume … Checked against the Engine's grammar. */
export type ObjectName = string & { readonly [brand]: 'ObjectName' }

/** `1.24` to `1.56`. */
export type ApiVersion = string & { readonly [brand]: 'ApiVersion' }

export type QueryValue =
  | { readonly type: 'boolean'; readonly value: boolean }
  | { readonly type: 'integer'; readonly value: number }
  | { readonly type: 'text'; readonly value: string }
  | { readonly type: 'filters'; readonly value: ReadonlyMap<string, readonly string[]> }

export type ApiRequest = {
  readonly operation: Operation
  /** Present where the request names one: in its path, its query or its body. */
  readonly container?: ContainerRef
  /** What stands for the other `{…}` of the operation's path, by what stands between the braces. */
  readonly names: ReadonlyMap<string, ObjectName>
  /** The version the client asked for; absent when it asked for none. */
  readonly version?: ApiVersion
  readonly query: ReadonlyMap<string, QueryValue>
  /** Of the headers that the operation takes, those that were sent, by their names in lower case. */
  readonly headers: ReadonlyMap<string, readonly string[]>
  /** The client asks for the connection itself, of an operation that can give it. */
  readonly upgrade: boolean
  /** A body is announced, of an operation that takes one; how many bytes it has, where that is said. */
  readonly announced?: { readonly bytes?: number }
  /** What a body of JSON said, once it was read. */
  readonly body?: JsonBody
}

/** A request that is nothing but its line. */
export const LINE_ONLY = { headers: new Map(), upgrade: false } as const satisfies Pick<ApiRequest, 'headers' | 'upgrade'>

/** A body as it was understood: written anew; or where it names a container, an object that is to be, with the id that was judged. */
export type JsonBody = { readonly text: string } | { readonly member: object }

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/
/** One of the segments of an image's or a plugin's reference, with the port, tag or digest that it may have. */
const REFERENCE_SEGMENT = /^[a-zA-Z0-9](?:[a-zA-Z0-9_.:@-]{0,253}[a-zA-Z0-9_.-])?$/

/** One path segment in the Engine's grammar of container names and ids, or `undefined`. */
export function parseContainerRef(segment: string): ContainerRef | undefined {
  return NAME.test(segment) ? (segment as ContainerRef) : undefined
}

/** Path segments as the name of an object: of several where it is a reference to an image or a plugin, of one otherwise. */
export function parseObjectName(segments: readonly string[], isReference: boolean): ObjectName | undefined {
  const fits = segments.length === 1 || (isReference && segments.length > 1)
  const grammar = isReference ? REFERENCE_SEGMENT : NAME
  return fits && segments.every((segment) => grammar.test(segment)) ? (segments.join('/') as ObjectName) : undefined
}

/** For a version whose range was checked. */
export function apiVersion(minor: number): ApiVersion {
  return `1.${minor}` as ApiVersion
}

export function apiMinor(version: ApiVersion): number {
  return Number(version.slice('1.'.length))
}
