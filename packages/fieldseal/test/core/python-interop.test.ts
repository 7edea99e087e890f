/** Tokens go both ways between this library and pyca/cryptography. */
import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { Fernet } from '../../src/core/fernet.js';
import { MultiFernet } from '../../src/core/multi-fernet.js';
import { pythonFor, runPython } from '../python.js';

/** Opens what was made here, makes the same values itself, and rotates ours onto the first key. */
const EXCHANGE = `
import json, sys
from cryptography.fernet import Fernet, MultiFernet
job = json.load(sys.stdin)
first, second = Fernet(job['keys'][0]), Fernet(job['keys'][1])
multi = MultiFernet([first, second])
out = []
for case in job['cases']:
    token, rotated = case['token'].encode(), case['rotated'].encode()
    value = bytes.fromhex(case['hex'])
    out.append({
        'opened': second.decrypt(token).hex(),
        'time': str(second.extract_timestamp(token)),
        'rotatedOpened': first.decrypt(rotated).hex(),
        'rotatedTime': str(first.extract_timestamp(rotated)),
        'made': second.encrypt_at_time(value, int(case['time'])).decode(),
        'rotatedThere': multi.rotate(token).decode(),
    })
json.dump({'cases': out, 'key': Fernet.generate_key().decode()}, sys.stdout)
`;

interface Answer {
  readonly key: string;
  readonly cases: {
    opened: string;
    time: string;
    rotatedOpened: string;
    rotatedTime: string;
    made: string;
    rotatedThere: string;
  }[];
}

it('tokens made here open in pyca/cryptography, and its tokens open here, rotated ones too', (context) => {
  const python = pythonFor('import cryptography.fernet', context);
  const keys = [Fernet.generateKey(), Fernet.generateKey()] as const;
  const [first, second] = [new Fernet(keys[0]), new Fernet(keys[1])];
  const multi = new MultiFernet([first, second]);
  const values = [
    ...Array.from({ length: 130 }, (_, length) => randomBytes(length)),
    ...['', 'sensitive@data.com', '+82-10-1234-5678', '한글', '👩‍👩‍👧‍👦', '\ufeff', '\0'].map((text) =>
      Buffer.from(text),
    ),
    randomBytes(20_000),
    randomBytes(1 << 20),
  ];
  const cases = values.map((value, i) => {
    const time = i % 3 === 0 ? 0n : BigInt(i) * 31_000_000n;
    const token = second.encrypt(value, { timeSeconds: time });
    return { hex: value.toString('hex'), time: time.toString(), token, rotated: multi.rotate(token) };
  });

  const answer = runPython<Answer>(python, EXCHANGE, { keys, cases });

  expect(answer.cases.length).toBe(cases.length);
  for (const [i, { hex, time }] of cases.entries()) {
    const there = answer.cases[i] as Answer['cases'][number];
    expect([there.opened === hex, there.rotatedOpened === hex]).toEqual([true, true]);
    expect([there.time, there.rotatedTime]).toEqual([time, time]);
    for (const [fernet, token] of [
      [second, there.made],
      [first, there.rotatedThere],
      [first, multi.rotate(there.made)],
    ] as const) {
      expect(fernet.decryptBytes(token).toString('hex') === hex).toBe(true);
      expect(fernet.extractTimestamp(token)).toBe(BigInt(time));
    }
  }
  expect(new Fernet(answer.key).decrypt(new Fernet(answer.key).encrypt('hello'))).toBe('hello');
});
