/**
 * What keeps content out of names and ids: every text that an author hands to the SDK passes one of these before it is
 * kept. The server sanitizes again by the same rules, since anybody can send.
 */

const NAME_MAX = 80
/** At most four words: a name may have a few ("Visual Basic .NET"), a sentence has more. */
const NAME = /^[A-Za-z0-9_.:/@+#()-]+(?: [A-Za-z0-9_.:/@+#()-]+){0,3}$/
/** An absolute, home or dotted path, a drive letter, or a URL; `vendor/model` and `server/tool` are none of these. */
const PATH = /(?:^|[^A-Za-z0-9_.)-])\/|\/$|(?:^|[ /])\.{1,2}\/|(?:^|[^A-Za-z0-9])[A-Za-z]:/
const EMAIL = /@[^ /@]*\.[A-Za-z]/
/** How the keys of well-known services begin, and signed tokens. */
const KEY =
  /(?:^|[^A-Za-z0-9])(?:(?:sk|pk|rk|blk)[-_][A-Za-z0-9_-]{12,}|gh[pousr]_[A-Za-z0-9]{12,}|github_pat_|glpat-|xox[a-z]-|AKIA[A-Z0-9]{12,}|AIza[A-Za-z0-9_-]{20,}|eyJ[A-Za-z0-9_-]{12,})/

/** Answers that are remembered, which are all forgotten together: the same few names come with every signal. */
const REMEMBERED_MAX = 1000

function remembering<Answer>(answer: (text: string) => Answer): (text: string) => Answer {
  const answers = new Map<string, Answer>()
  return (text) => {
    const known = answers.get(text)
    if (known !== undefined) return known
    const fresh = answer(text)
    if (answers.size >= REMEMBERED_MAX) answers.clear()
    answers.set(text, fresh)
    return fresh
  }
}

const isName = remembering((text) => NAME.test(text) && !PATH.test(text) && !EMAIL.test(text) && !KEY.test(text))

/**
 * A name of a model, tool, mode, language, repository or version, of at most 80 characters; undefined when the value
 * could be anything else: a sentence, punctuation that code has, a path, a URL, an e-mail address, a key.
 */
export function toName(value: unknown): string | undefined {
  return typeof value === "string" && value.length <= NAME_MAX && isName(value) ? value : undefined
}

const ERROR_CLASS = /^[A-Za-z][A-Za-z0-9_.:-]{0,39}$/

/** A class of failure such as `QuotaError`; `other` when the value is not one, undefined when there is none. */
export function toErrorClass(value: unknown): string | undefined {
  if (value === undefined || value === null || value === "") return undefined
  return typeof value === "string" && ERROR_CLASS.test(value) && !KEY.test(value) ? value : "other"
}

const ID = /^[A-Za-z0-9_.:#-]{1,64}$/

/** An id as it is when it can only be one, otherwise 32 hex digits that stand for it, so that equal ids stay equal. */
export const toId = remembering((text: string) => (ID.test(text) && !KEY.test(text) ? text : digest(text)))

const ADDRESS = /^[^\s@/\\]{1,64}@[A-Za-z0-9.-]{1,189}$/

/** An e-mail address as it is; anything else as an id. */
export function toIdentity(value: string): string {
  return ADDRESS.test(value) ? value : toId(value)
}

/** cyrb128: no secret is kept by it, but it does not give back what was put in, and equal texts stay equal. */
function digest(text: string): string {
  let [a, b, c, d] = [1779033703, 3144134277, 1013904242, 2773480762]
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    a = b ^ Math.imul(a ^ unit, 597399067)
    b = c ^ Math.imul(b ^ unit, 2869860233)
    c = d ^ Math.imul(c ^ unit, 951274213)
    d = a ^ Math.imul(d ^ unit, 2716044179)
  }
  a = Math.imul(c ^ (a >>> 18), 597399067)
  b = Math.imul(d ^ (b >>> 22), 2869860233)
  c = Math.imul(a ^ (c >>> 17), 951274213)
  d = Math.imul(b ^ (d >>> 19), 2716044179)
  return [a ^ b ^ c ^ d, b ^ a, c ^ a, d ^ a].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("")
}
