/** The id of a request: our own, or that of a proxy which is trusted. */
import type { IncomingMessage } from 'node:http';
import { BlockList, isIPv6 } from 'node:net';
import { Secret } from 'fieldseal';

/** Long enough to be one of its kind; without characters that an API key or a line of a log would need. */
const SANE = /^[A-Za-z0-9.-]{8,64}$/;

/** 24 hex digits. */
function freshId(): string {
  return Secret.random(12).reveal().toString('hex');
}

/**
 * @param trustedProxies addresses or networks, whose `X-Request-Id` is taken over
 * @param fresh makes an id for every other request
 */
export function requestIds(
  trustedProxies: readonly string[],
  fresh: () => string = freshId,
): (request: IncomingMessage) => string {
  const trusted = new BlockList();
  for (const proxy of trustedProxies) {
    const [address = '', bits] = proxy.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (bits === undefined) trusted.addAddress(address, family);
    else trusted.addSubnet(address, Number(bits), family);
  }
  return ({ headers, socket }) => {
    const given = headers['x-request-id'];
    const address = socket.remoteAddress?.replace(/^::ffff:/, '') ?? '';
    const isTrusted = address !== '' && trusted.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
    if (isTrusted && typeof given === 'string' && SANE.test(given)) return given;
    return fresh();
  };
}
