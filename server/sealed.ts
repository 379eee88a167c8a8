import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto"

/**
 * Secrets that the database keeps are encrypted (AES-256-GCM, RFC 5116) under a key that is derived from the secret of
 * all processes (HKDF, RFC 5869): a copy of the database alone holds none.
 */

export interface SealedFor {
  /** Of all processes. */
  readonly secret: string
  readonly orgId: string
  /** Of the row: what is sealed for one cannot be put into another. */
  readonly id: string
  /** Names the use; never changes, or nothing opens any more. */
  readonly purpose: string
}

const CIPHER = "aes-256-gcm"
const [NONCE_BYTES, TAG_BYTES] = [12, 16]

/** Nonce, tag and ciphertext. */
export function seal(plain: Uint8Array, of: SealedFor): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv(CIPHER, keyOf(of), nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(Buffer.from(of.id))
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()])
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed])
}

/** Throws when it was sealed for another, under another secret, or changed. */
export function unseal(sealed: Buffer, of: SealedFor): Buffer {
  const nonce = sealed.subarray(0, NONCE_BYTES)
  const decipher = createDecipheriv(CIPHER, keyOf(of), nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(Buffer.from(of.id))
  decipher.setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
  return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()])
}

function keyOf({ secret, orgId, purpose }: SealedFor): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, orgId, purpose, 32))
}
