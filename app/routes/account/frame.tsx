import type { ReactNode } from "react"
import { Logo } from "../../ui/logo.tsx"

/** The page of somebody who is not signed in. */
export function SignInFrame(props: { title: string; lead: ReactNode; children: ReactNode }) {
  return (
    <main className="flex min-h-dvh items-center justify-center bg-canvas px-4 py-8">
      <div className="w-full max-w-sm">
        <Logo className="size-10" />
        <h1 className="mt-6 text-2xl font-semibold tracking-tight">{props.title}</h1>
        <p className="mt-2 text-ink-soft">{props.lead}</p>
        <div className="mt-8 space-y-4">{props.children}</div>
      </div>
    </main>
  )
}
