// What a client may be answered with: a whole answer, one that goes on, or the connection itself.
import type { Duplex, Readable } from 'node:stream'
import type { Answer } from '../show/answer.ts'

/** An answer that goes on: bytes until either side ends it. */
export type OpenAnswer = Omit<Answer, 'body' | 'taken'> & { readonly stream: Readable }

/** The connection itself, from the head of the answer on. */
export type TunnelAnswer = { readonly status: 101; readonly headers: Answer['headers']; readonly tunnel: Duplex }

export type AnyAnswer = Answer | OpenAnswer | TunnelAnswer
