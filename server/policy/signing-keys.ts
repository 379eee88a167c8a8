import { createPrivateKey, generateKeyPairSync, hash, type KeyObject } from "node:crypto"
import { sql } from "kysely"
import type { PolicyKey } from "#sdk/policy/envelope.ts"
import { recordAudit } from "../audit/commands.ts"
import type { TenantTx } from "../db/tenant.ts"
import { seal, type SealedFor, unseal } from "../sealed.ts"
import type { PolicyActor } from "./drafts.ts"

/**
 * The keys that an organization's bundles are signed with. Private keys are sealed under the secret of all processes: a
 * copy of the database signs nothing.
 */

/** A new key signs this much later, when every client that fetches daily knows it. */
const ANNOUNCED_MS = 24 * 3_600_000

export interface SigningKeys {
  /** Signs now. */
  readonly signer: { readonly id: string; readonly privateKey: KeyObject }
  /** Those that clients are to know: which sign now or next. */
  readonly keys: readonly PolicyKey[]
}

/** The organization's keys; makes the first when there is none. */
export async function readSigningKeys(
  tx: TenantTx,
  args: { readonly orgId: string; readonly secret: string; readonly now: Date },
): Promise<SigningKeys> {
  const { orgId, secret, now } = args
  let known = await listKeys(tx)
  if (known.length === 0) {
    // Of several that ask at once one makes it: a client goes on believing the first key that it was given.
    await sql`select pg_advisory_xact_lock(hashtext('belay_policy_key'), hashtext(${orgId}))`.execute(tx)
    known = await listKeys(tx)
  }
  if (known.length === 0) {
    await addKey(tx, { orgId, secret, madeAt: now, signsFrom: now })
    known = await listKeys(tx)
  }
  const signing = known.findLast(({ signsFrom }) => signsFrom <= now) ?? known[0]
  if (signing === undefined) throw new Error("An organization without a signing key")
  return {
    signer: { id: signing.id, privateKey: unsealKey(signing.sealed, sealing({ secret, orgId, id: signing.id })) },
    keys: known.filter((key) => key.signsFrom >= signing.signsFrom).map(({ id, publicKey }) => ({ id, publicKey })),
  }
}

export interface ShownKey {
  readonly id: string
  readonly publicKey: string
  readonly madeAt: Date
  readonly signsFrom: Date
}

/** The keys that are in use or will be, the oldest first. */
export async function listSigningKeys(tx: TenantTx): Promise<readonly ShownKey[]> {
  const keys = await listKeys(tx)
  return keys.map(({ id, publicKey, madeAt, signsFrom }) => ({ id, publicKey, madeAt, signsFrom }))
}

/** Makes the next key. It is announced at once and signs from a day later on, in place of the one before. */
export async function rotateSigningKey(
  tx: TenantTx,
  { by, secret }: { readonly by: PolicyActor; readonly secret: string },
): Promise<{ readonly id: string }> {
  const signsFrom = new Date(by.occurredAt.getTime() + ANNOUNCED_MS)
  const id = await addKey(tx, { orgId: by.orgId, secret, madeAt: by.occurredAt, signsFrom })
  await recordAudit(tx, {
    ...by,
    action: "policy.key_rotate",
    targetKind: "policy_signing_key",
    targetId: id,
    after: { signs_from: signsFrom.toISOString() },
  })
  return { id }
}

function listKeys(tx: TenantTx) {
  return tx
    .selectFrom("policy_signing_key")
    .select(["id", "public_key as publicKey", "sealed_private_key as sealed", "made_at as madeAt"])
    .select("signs_from as signsFrom")
    .where("retired_at", "is", null)
    .orderBy("signs_from")
    .orderBy("id")
    .execute()
}

interface NewKey {
  readonly orgId: string
  readonly secret: string
  readonly madeAt: Date
  readonly signsFrom: Date
}

async function addKey(tx: TenantTx, { orgId, secret, madeAt, signsFrom }: NewKey): Promise<string> {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519")
  const { x = "" } = publicKey.export({ format: "jwk" })
  const id = hash("sha256", x, "hex").slice(0, 16)
  await tx
    .insertInto("policy_signing_key")
    .values({
      org_id: orgId,
      id,
      public_key: x,
      sealed_private_key: seal(privateKey.export({ format: "der", type: "pkcs8" }), sealing({ secret, orgId, id })),
      made_at: madeAt,
      signs_from: signsFrom,
    })
    .execute()
  return id
}

function sealing({ secret, orgId, id }: Pick<NewKey, "secret" | "orgId"> & { readonly id: string }): SealedFor {
  return { secret, orgId, id, purpose: "belay policy signing key" }
}

function unsealKey(sealed: Buffer, of: SealedFor): KeyObject {
  return createPrivateKey({ key: unseal(sealed, of), format: "der", type: "pkcs8" })
}
