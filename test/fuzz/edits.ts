// Texts that are nearly right: right ones, changed in a few places as a hand, a line break or an attacker would.
import fc from 'fast-check'

type Edit = (text: string) => string

/** `text` with up to `most` edits; what is put in is chance, or one of `words`. */
export function edited(text: fc.Arbitrary<string>, words: readonly string[], most = 3): fc.Arbitrary<string> {
  const put = fc.oneof(fc.constantFrom(...words, ...ODD), fc.string({ unit: 'binary', maxLength: 3 }))
  // Places as shares of a text whose length is not known yet.
  const place = fc.nat({ max: 2 ** 20 - 1 })
  const at = (text: string, share: number) => Math.floor((share / 2 ** 20) * (text.length + 1))
  const between = (text: string, a: number, b: number) => [at(text, Math.min(a, b)), at(text, Math.max(a, b))] as const
  const edit: fc.Arbitrary<Edit> = fc.oneof(
    fc.tuple(place, put).map(
      ([share, piece]): Edit =>
        (text) =>
          text.slice(0, at(text, share)) + piece + text.slice(at(text, share)),
    ),
    fc.tuple(place, fc.nat({ max: 4 }), put).map(
      ([share, length, piece]): Edit =>
        (text) =>
          text.slice(0, at(text, share)) + piece + text.slice(at(text, share) + length),
    ),
    fc.tuple(place, place).map(
      ([a, b]): Edit =>
        (text) => {
          const [from, to] = between(text, a, b)
          return text.slice(0, from) + text.slice(to)
        },
    ),
    fc.tuple(place, place).map(
      ([a, b]): Edit =>
        (text) => {
          const [from, to] = between(text, a, b)
          return text.slice(0, to) + text.slice(from)
        },
    ),
    // One word of the text for another, which so stands where none should, or that should stand elsewhere.
    fc.tuple(place, put).map(
      ([share, piece]): Edit =>
        (text) => {
          const from = at(text, share)
          const [word = ''] = /\w*/.exec(text.slice(from)) ?? []
          return text.slice(0, from) + piece + text.slice(from + word.length)
        },
    ),
  )
  return fc
    .tuple(text, fc.array(edit, { maxLength: most }))
    .map(([text, edits]) => edits.reduce((last, each) => each(last), text))
}

/** What has deceived readers before. */
const ODD = [
  ...['', ' ', '\t', '\n', '\r\n', '\0', '/', '//', '..', '.', '\\', '%', '%2f', '%00', '+', '&', '=', '?', '#', ';', ':', ','],
  ...[
    '"',
    "'",
    '{',
    '}',
    '[',
    ']',
    '{}',
    '[]',
    '*',
    '-',
    '0',
    '-1',
    '1e3',
    '0x10',
    '9'.repeat(20),
    'null',
    'true',
    '\ufeff',
    '\u2028',
  ],
  ...['\u202e', '\u001b[2J', '\u017f', '\ud800', 'é', '😀', '__proto__', 'constructor', 'toString', 'a'.repeat(300)],
]
