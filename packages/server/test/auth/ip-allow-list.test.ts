import { expect, it } from 'vitest';
import { IpAllowList, isAddress } from '../../src/auth/ip-allow-list.js';

it.each<[entries: string[], ip: string | null, permitted: boolean]>([
  [['192.0.2.7'], '192.0.2.7', true],
  [['192.0.2.7'], '192.0.2.8', false],
  [['192.0.2.7'], '::ffff:192.0.2.7', true],
  [['10.0.0.0/8'], '10.255.1.2', true],
  [['10.0.0.0/8'], '::ffff:10.255.1.2', true],
  [['10.0.0.0/8'], '11.0.0.1', false],
  [['::ffff:10.0.0.0/104'], '10.9.9.9', true],
  [['::ffff:10.0.0.0/104'], '11.9.9.9', false],
  [['2001:db8::/32'], '2001:db8:1::5', true],
  [['2001:DB8::/32'], '2001:0db8:0001:0000::5', true],
  [['2001:db8::/32'], '2001:db9::1', false],
  [['fe80::/10'], 'fe80::1%eth0', true],
  [['0.0.0.0/0'], '203.0.113.9', true],
  [['0.0.0.0/0'], '2001:db8::1', false],
  [['192.0.2.1', '198.51.100.0/24'], '198.51.100.77', true],
  [[], '192.0.2.7', false],
  [['192.0.2.7'], null, false],
  [['192.0.2.7'], 'not an address', false],
  [['not an address', '10.0.0.0/33', '10.0.0.0/x', '10.0.0.0/', '300.1.1.1', '::/129', ''], '10.0.0.0', false],
])('%j permits %s: %s', (entries, ip, permitted) => {
  expect(new IpAllowList(entries).permits(ip)).toBe(permitted);
});

it('an address is IPv4 or IPv6, with a zone or without', () => {
  const texts = ['192.0.2.7', '::1', 'fe80::1%eth0', '::ffff:192.0.2.7', '', '192.0.2', '192.0.2.7/24', 'localhost'];
  expect(texts.map(isAddress)).toEqual([true, true, true, true, false, false, false, false]);
});
