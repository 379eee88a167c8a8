import { BlockList, isIP, isIPv6 } from "node:net"

/**
 * Addresses that are no place of the public internet: this machine, the network inside, link-local ones with the metadata
 * service of clouds among them, multicast, and what stands for one of those in another form.
 *
 * @see https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry
 */
const INSIDE = new BlockList()
for (const [network, prefix] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
] as const) {
  INSIDE.addSubnet(network, prefix, "ipv4")
}

/** Of IPv6 only global unicast is outside, less what carries an address of IPv4 or is for documents. */
const GLOBAL = new BlockList()
GLOBAL.addSubnet("2000::", 3, "ipv6")
const NOT_GLOBAL = new BlockList()
for (const [network, prefix] of [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
] as const) {
  NOT_GLOBAL.addSubnet(network, prefix, "ipv6")
}

/** Whether an IP address is one of the public internet. What is no address is not. */
export function isPublicAddress(address: string): boolean {
  if (isIPv6(address)) return GLOBAL.check(address, "ipv6") && !NOT_GLOBAL.check(address, "ipv6")
  return isIP(address) === 4 && !INSIDE.check(address, "ipv4")
}
