import * as fc from "fast-check"
import { expect, test } from "vitest"
import { toShellAction } from "./shell-action.ts"

test.each([
  ["git push origin main", "git push"],
  ["git", "git"],
  ["git -C /srv/secret push", "git"],
  ["git push; rm -rf secret", "git push"],
  ["npm run build", "npm run"],
  ["npm --prefix secret test", "npm"],
  ["docker compose up", "docker compose"],
  ["terraform apply -auto-approve", "terraform apply"],
  ["kubectl delete pod secret", "kubectl delete"],
  ["ls -la /home/dev/secret", "ls"],
  ["cat secret.txt | grep password", "cat"],
  ["rm secret", "rm"],
  ["/usr/local/bin/python3 secret.py", "python3"],
  ["./gradlew secret", "gradlew"],
  ["NODE_ENV=test CI=1 npm test", "npm test"],
  ["cd /home/dev/secret && cargo build", "cargo build"],
  ["cd src; ls", "ls"],
  ["  go test ./...  ", "go test"],
  ["git Secret", "git"],
  ['cd "a && secret b" && ls', "cd"],
])("%j is %j", (line, action) => {
  expect(toShellAction(line)).toBe(action)
})

test.each([
  [""],
  ["   "],
  ['"/home/my secret/run"'],
  ["/home/my\\ secret/run"],
  ['KEY="a secret value" make'],
  ["KEY='a secret' make"],
  ["KEY=$(cat secret) make"],
  ["$(cat secret)"],
  ["`cat secret`"],
  ["(cd secret)"],
  ["for secret in *; do ls; done"],
  ["# secret"],
  ["~/bin/secret"],
  ["C:\\Users\\secret\\run.exe"],
  ["> secret"],
  ["x".repeat(41)],
])("%j is not plain enough to name", (line) => {
  expect(toShellAction(line)).toBeNull()
})

test.each([
  [["git", "push", "secret"], "git push"],
  [["bash", "-lc", "git push secret"], "git push"],
  [["/bin/sh", "-c", "ls secret"], "ls"],
  [["bash", "script-secret.sh"], "bash"],
  [["bash", "-lc"], null],
  [["/home/my secret/run"], null],
  [[1, 2], null],
  [[], null],
])("the arguments %j are %j", (argv, action) => {
  expect(toShellAction(argv)).toBe(action)
})

test.each([[undefined], [null], [7], [new Map([["command", "ls"]])]])("%j is no command", (value) => {
  expect(toShellAction(value)).toBeNull()
})

test("whatever follows the program is not in its name", () => {
  const rest = fc.string({ unit: "binary" }).map((value) => `zq7canary7xj${value}`)
  fc.assert(
    fc.property(fc.constantFrom("ls ", "git commit -m ", "npm run ", "X=1 make "), rest, (start, secret) => {
      expect(toShellAction(start + secret)).not.toContain("canary")
    }),
  )
})

test("an action is a program and at most one word more", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (line) => {
      expect(toShellAction(line) ?? "none").toMatch(/^[A-Za-z][A-Za-z0-9_.+-]{0,39}( [a-z][a-z-]{0,20})?$/)
    }),
  )
})
