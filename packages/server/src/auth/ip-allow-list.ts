/** Lists of addresses and networks: where an API key may be used from, which proxies are trusted. */
import { BlockList, isIP } from 'node:net';

/** The text of an address without what says nothing of the host: a zone, and the IPv6 form of an IPv4 address. */
export function plainAddress(text: string): string {
  const address = text.replace(/%.*$/, '');
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
}

/** Whether a text is an IPv4 or IPv6 address. */
export function isAddress(text: string): boolean {
  return isIP(plainAddress(text)) !== 0;
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}

/** A list made ready to be asked often. An entry that is neither an address nor a network permits nothing. */
export class IpAllowList {
  readonly #permitted = new BlockList();

  /** @param entries `192.0.2.7`, `10.0.0.0/8`, `2001:db8::/32` */
  constructor(entries: readonly string[]) {
    for (const entry of entries) {
      const [network = '', bits] = entry.trim().split('/');
      const address = plainAddress(network);
      const isMapped = address !== network;
      if (isIP(address) === 0) continue;
      const most = familyOf(address) === 'ipv6' ? 128 : 32;
      // ::ffff:10.0.0.0/104 is 10.0.0.0/8.
      const given = bits === undefined ? most : Number(bits) - (isMapped ? 96 : 0);
      if (bits !== undefined && !/^\d{1,3}$/.test(bits)) continue;
      if (given < 0 || given > most) continue;
      this.#permitted.addSubnet(address, given, familyOf(address));
    }
  }

  /** False also for what is no address, and for none. */
  permits(ip: string | null): boolean {
    const address = ip === null ? '' : plainAddress(ip);
    return isIP(address) !== 0 && this.#permitted.check(address, familyOf(address));
  }
}
