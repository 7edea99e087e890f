import { describe, expect, it } from 'vitest';
import { canonicalAllowedIp } from '../../src/auth/allowed-ip.js';

describe('an address or network that a key may be used from', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['192.0.2.7/32', '192.0.2.7'],
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['172.16.0.0/12', '172.16.0.0/12'],
    ['2001:DB8:0:0::1', '2001:db8::1'],
    ['2001:db8::/32', '2001:db8::/32'],
    ['2001:db8::1/128', '2001:db8::1'],
    ['::/0', '::/0'],
    ['::1', '::1'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
    ['fe80::/10', 'fe80::/10'],
    // The same machine, whichever way the socket spells it.
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::FFFF:a00:0/104', '10.0.0.0/8'],
    ['::ffff:0:0/96', '0.0.0.0/0'],
  ])('%s is written %s', (given, written) => {
    expect(canonicalAllowedIp(given)).toBe(written);
    expect(canonicalAllowedIp(written)).toBe(written);
  });

  it.each([
    '',
    '10.0.0.1/8',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    '10.0.0.0/',
    '010.0.0.1',
    '10.0.0',
    '10.0.0.0/8/8',
    '0x0a000001',
    '167772161',
    'localhost',
    '2001:db8::1/32',
    '2001:db8::/129',
    'fe80::1%eth0',
    ':::',
    '[::1]',
    '::ffff:10.0.0.1/104',
    '10.0.0.1,10.0.0.2',
    ' 10.0.0.1',
  ])('%j is refused', (text) => {
    expect(canonicalAllowedIp(text)).toBeNull();
  });
});
