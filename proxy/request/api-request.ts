// What a client asked for, after reading: typed values only. No byte of the request line or the headers is in here
// except values whose grammar was checked.
import type { CatalogueOperation } from './catalogue.ts'

declare const brand: unique symbol

/** A container as the client named it: a name, an id or the beginning of one. Checked against the Engine's grammar. */
export type ContainerRef = string & { readonly [brand]: 'ContainerRef' }

/** `1.24` to `1.55`. */
export type ApiVersion = string & { readonly [brand]: 'ApiVersion' }

export type QueryValue =
  | { readonly type: 'boolean'; readonly value: boolean }
  | { readonly type: 'integer'; readonly value: number }
  | { readonly type: 'filters'; readonly value: ReadonlyMap<string, readonly string[]> }

export type ApiRequest = {
  readonly operation: CatalogueOperation
  /** Present exactly where the operation's path has `{id}`. */
  readonly container?: ContainerRef
  /** The version the client asked for; absent when it asked for none. */
  readonly version?: ApiVersion
  readonly query: ReadonlyMap<string, QueryValue>
}

const CONTAINER_REF = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/

/** One path segment in the Engine's grammar of container names and ids, or `undefined`. */
export function parseContainerRef(segment: string): ContainerRef | undefined {
  return CONTAINER_REF.test(segment) ? (segment as ContainerRef) : undefined
}

/** For a version whose range was checked. */
export function apiVersion(minor: number): ApiVersion {
  return `1.${minor}` as ApiVersion
}
