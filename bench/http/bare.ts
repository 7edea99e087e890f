/** The measure: Fastify with nothing but one route, which answers the JSON that it is given. In a process of its own. */
import Fastify from 'fastify';

const answer = JSON.parse(process.argv[2] ?? '{}');
const app = Fastify();
app.post('/api/encryption/keys/verify', async () => answer);
process.send?.(await app.listen({ port: 0, host: '127.0.0.1' }));
process.once('disconnect', () => process.exit());
