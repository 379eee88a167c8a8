import { expect, test } from "vitest"
import { toMailText, toSlackBody } from "./words.ts"

const DIGEST = {
  organization: "Acme <&> Co",
  week: "2026-11-16",
  until: "2026-11-23",
  sections: [
    {
      title: "What it cost",
      lines: [
        { text: "R&D: <3", path: "/usage?from=2026-11-16" },
        { text: "b", path: null },
      ],
    },
  ],
}

test("a mail is plain sentences with links, and says where to end it", () => {
  expect(toMailText(DIGEST, "https://belay.example.com")).toBe(
    "What it cost\n- R&D: <3\n  https://belay.example.com/usage?from=2026-11-16\n- b\n\nYou asked for this every Monday. To end it: https://belay.example.com/digest\n\n",
  )
})

test("names do not become markup in Slack", () => {
  const { blocks } = JSON.parse(toSlackBody(DIGEST, "https://belay.example.com")) as {
    blocks: readonly { text: { text: string } }[]
  }
  expect(blocks.map(({ text }) => text.text)).toEqual([
    "*Acme &lt;&amp;&gt; Co: the week from 2026-11-16 to before 2026-11-23*",
    "*What it cost*\n• R&amp;D: &lt;3 <https://belay.example.com/usage?from=2026-11-16|Look>\n• b",
  ])
})
