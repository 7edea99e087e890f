import Fastify from 'fastify';
import { expect, test } from 'vitest';
import { sendTogether } from '../../src/http/send-together.js';

test('each gets its own answer, and one that cannot be sent takes no other with it', async () => {
  const app = Fastify();
  app.decorateRequest('span', null);
  app.addHook('onSend', sendTogether());
  app.get('/:name', async (request, reply) => {
    const { name } = request.params as { name: string };
    // A header that Node refuses to write.
    if (name === 'broken')
      Reflect.set(reply.raw, 'writeHead', () => {
        throw new Error('no such header');
      });
    return { name };
  });
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  try {
    const names = ['a', 'broken', 'b', 'c'];
    const answers = await Promise.all(
      names.map((name) =>
        fetch(`${url}/${name}`).then(
          (answer) => answer.json(),
          () => 'no answer',
        ),
      ),
    );
    expect(answers).toEqual([{ name: 'a' }, 'no answer', { name: 'b' }, { name: 'c' }]);
  } finally {
    await app.close();
  }
});
