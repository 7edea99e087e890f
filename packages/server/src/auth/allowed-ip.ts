/** Addresses and networks that a key may be used from, each in one spelling: RFC 4632 and RFC 5952. */
import { isIPv4, isIPv6 } from 'node:net';

/** An IPv4 address written as IPv6, `::ffff:10.0.0.1`: the first 96 bits are these. */
const MAPPED = [0, 0, 0, 0, 0, 0xffff];

/**
 * `10.0.0.0/8`, `192.0.2.7`, `2001:db8::/32` in its one spelling: lower case, the longest run of zeros left out, a network
 * of one address as that address, IPv4 in IPv6 as IPv4.
 * Null for what is no address, has a zone, or is a network with bits behind its prefix: `10.1.2.3/8` is more likely a
 * mistake than a way to write sixteen million addresses.
 */
export function canonicalAllowedIp(text: string): string | null {
  const [, address = '', length] = /^([^/%]+)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text) ?? [];
  if (isIPv4(address)) return network(address, parts(address, '.', 10), 8, length);
  if (!isIPv6(address)) return null;
  const text6 = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const groups = ipv6Groups(text6);
  const prefix = length === undefined ? 128 : Number(length);
  if (prefix < 96 || MAPPED.some((group, i) => groups[i] !== group)) return network(text6, groups, 16, length);
  const bytes = groups.slice(6).flatMap((group) => [group >> 8, group & 0xff]);
  return network(bytes.join('.'), bytes, 8, length && String(prefix - 96));
}

/** The network's text if its length fits and all bits behind it are zero. */
function network(address: string, units: readonly number[], unitBits: number, length?: string): string | null {
  const bits = units.length * unitBits;
  const prefix = length === undefined ? bits : Number(length);
  if (prefix > bits) return null;
  const isClean = units.every((unit, i) => {
    const kept = Math.min(Math.max(prefix - i * unitBits, 0), unitBits);
    return unit % 2 ** (unitBits - kept) === 0;
  });
  if (!isClean) return null;
  return prefix === bits ? address : `${address}/${prefix}`;
}

function parts(text: string, separator: string, radix: number): number[] {
  return text === '' ? [] : text.split(separator).map((part) => Number.parseInt(part, radix));
}

/** Eight groups of 16 bits; the URL parser has made every one of them hexadecimal (WHATWG URL, IPv6 serializer). */
function ipv6Groups(text: string): number[] {
  const [head = '', tail] = text.split('::');
  const first = parts(head, ':', 16);
  const last = parts(tail ?? '', ':', 16);
  return [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last];
}
