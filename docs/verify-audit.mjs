// Verifies what `fieldseal audit` printed, without Fieldseal: needs Node and nothing else. See tamper-evidence.md.
//
//   node verify-audit.mjs --key KEY --checkpoint FILE [--older FILE] OUTPUT.ndjson
//
// KEY         the public key that `audit keygen` printed: name+id+base64
// --checkpoint  a signed checkpoint; --older: one from before, which the newer one must go on from
// OUTPUT      lines of `audit leaves` (all of them), `audit proof ID` or `audit consistency FROM TO`, one kind or mixed
//
// Ends with 0 when everything holds, else with 1 and a line for each thing that does not.
import { createHash, createPublicKey, verify } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const sha256 = (...parts) => createHash('sha256').update(Buffer.concat(parts)).digest();
const nodeHash = (left, right) => sha256(Buffer.of(1), left, right);
const hex = (text) => Buffer.from(text, 'hex');
const half = (n) => Math.floor(n / 2);
const odd = (n) => n % 2 === 1;

// C2SP signed-note: the text, an empty line, and "— name base64(key id, signature)".
function openCheckpoint(note, key) {
  const [, name, id, base64 = ''] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(key) ?? [];
  const bytes = Buffer.from(base64, 'base64');
  const keyId = sha256(Buffer.from(`${name}\n`), bytes).subarray(0, 4);
  if (bytes[0] !== 1 || bytes.length !== 33 || keyId.toString('hex') !== id)
    throw new Error('the public key is malformed');
  const end = note.lastIndexOf('\n\n') + 1;
  const text = note.slice(0, end);
  const spki = Buffer.concat([hex('302a300506032b6570032100'), bytes.subarray(1)]);
  const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  const isSigned = note
    .slice(end)
    .split('\n')
    .some((line) => {
      const [dash, signer, encoded = ''] = line.split(' ');
      const signature = Buffer.from(encoded, 'base64');
      const isOurs = dash === '—' && signer === name && signature.subarray(0, 4).equals(keyId);
      return isOurs && signature.length === 68 && verify(null, Buffer.from(text), publicKey, signature.subarray(4));
    });
  const [origin, size, root] = text.split('\n');
  if (!isSigned || origin !== name) throw new Error('the checkpoint is not signed by the public key');
  return { size: Number(size), root: Buffer.from(root, 'base64') };
}

// FORMAT.md §1: a count and each part behind its length, all of them 32 bits, big-endian.
function lengthPrefixed(parts) {
  const u32 = (n) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(n);
    return bytes;
  };
  return Buffer.concat([u32(parts.length), ...parts.flatMap((part) => [u32(part.length), part])]);
}

// FORMAT.md §13
function rowHash({ row, salt }) {
  const parts = [Buffer.from('fieldseal/audit-row/v1'), hex(salt)];
  for (const name of Object.keys(row).sort()) {
    const value = row[name];
    if (value === null) continue;
    const isText = typeof value === 'string';
    parts.push(Buffer.from(isText ? name : `${name}:bytes`), isText ? Buffer.from(value) : hex(value.bytes));
  }
  return sha256(lengthPrefixed(parts));
}

function leafHash({ epoch, audit_id, xact_id }, row) {
  const place = ['fieldseal/audit-leaf/v1', String(epoch), String(audit_id), xact_id === null ? '' : String(xact_id)];
  return sha256(Buffer.of(0), lengthPrefixed([...place.map((text) => Buffer.from(text)), row]));
}

// RFC 9162 §2.1.3.2
function provesInclusion(leaf, index, size, proof, root) {
  let [at, last, hash] = [index, size - 1, leaf];
  if (index >= size) return false;
  for (const sibling of proof) {
    if (last === 0) return false;
    if (odd(at) || at === last) {
      hash = nodeHash(sibling, hash);
      while (!odd(at) && at !== 0) [at, last] = [half(at), half(last)];
    } else hash = nodeHash(hash, sibling);
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && hash.equals(root);
}

// RFC 9162 §2.1.4.2
function provesConsistency(from, to, proof) {
  if (from.size === to.size) return proof.length === 0 && from.root.equals(to.root);
  let [at, last] = [from.size - 1, to.size - 1];
  while (odd(at)) [at, last] = [half(at), half(last)];
  const [first, ...rest] = at === 0 ? [from.root, ...proof] : proof;
  if (!first || from.size > to.size || from.size < 1) return false;
  let [older, newer] = [first, first];
  for (const sibling of rest) {
    if (last === 0) return false;
    if (odd(at) || at === last) {
      [older, newer] = [nodeHash(sibling, older), nodeHash(sibling, newer)];
      while (!odd(at) && at !== 0) [at, last] = [half(at), half(last)];
    } else newer = nodeHash(newer, sibling);
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && older.equals(from.root) && newer.equals(to.root);
}

// A tree that grows: one complete subtree for each bit of its size, the largest first.
class Tree {
  size = 0;
  hashes = [];
  append(hash) {
    for (let size = this.size; odd(size); size = half(size)) hash = nodeHash(this.hashes.pop(), hash);
    this.hashes.push(hash);
    this.size += 1;
  }
  root() {
    return this.hashes.reduceRight((right, left) => nodeHash(left, right));
  }
}

const options = { '--key': '', '--checkpoint': '', '--older': '' };
let file = '';
const argv = process.argv.slice(2);
while (argv.length > 0) {
  const word = argv.shift();
  if (word in options) options[word] = argv.shift() ?? '';
  else file = word;
}
if (!options['--key'] || !options['--checkpoint'] || !file) {
  console.error('usage: node verify-audit.mjs --key KEY --checkpoint FILE [--older FILE] OUTPUT.ndjson');
  process.exit(2);
}

const problems = [];
const counts = { leaves: 0, pruned: 0, inclusionProofs: 0, consistencyProofs: 0 };
const read = (name) => openCheckpoint(readFileSync(options[name], 'utf8'), options['--key']);
try {
  const checkpoint = read('--checkpoint');
  const older = options['--older'] ? read('--older') : null;
  const sizes = [older, checkpoint].filter((one) => one !== null);
  const tree = new Tree();
  for await (const text of createInterface({ input: createReadStream(file) })) {
    if (text === '') continue;
    const line = JSON.parse(text);
    if (line.from !== undefined) {
      counts.consistencyProofs += 1;
      const [from, to] = [line.from, line.to].map((size) => sizes.find((one) => one.size === size));
      if (!from || !to) problems.push(`no checkpoint was given for ${line.from} or ${line.to} leaves`);
      else if (!provesConsistency(from, to, line.proof.map(hex)))
        problems.push(`the log of ${to.size} leaves does not go on from that of ${from.size}`);
      continue;
    }
    // The hash of a row is computed; only where the row was pruned is it taken as it stands.
    const hash = leafHash(line, line.row === null ? hex(line.row_hash) : rowHash(line));
    if (line.row !== null && line.row.id !== String(line.audit_id))
      problems.push(`the leaf of row ${line.audit_id} holds row ${line.row.id}`);
    if (!hash.equals(hex(line.leaf_hash))) problems.push(`row ${line.audit_id} is not as it was sealed`);
    if (line.proof !== undefined) {
      counts.inclusionProofs += 1;
      const { size, root } = line.checkpoint ? openCheckpoint(line.checkpoint, options['--key']) : checkpoint;
      if (size !== line.tree_size || !provesInclusion(hash, line.leaf_index, size, line.proof.map(hex), root))
        problems.push(`row ${line.audit_id} is not proved to be in the log`);
      continue;
    }
    if (line.leaf_index !== tree.size) problems.push(`leaf ${tree.size} is missing before row ${line.audit_id}`);
    counts.leaves += 1;
    if (line.row === null) counts.pruned += 1;
    tree.append(hash);
    for (const { size, root } of sizes)
      if (size === tree.size && !root.equals(tree.root()))
        problems.push(`the first ${size} leaves are not those that the checkpoint was signed over`);
  }
  if (counts.leaves > 0)
    for (const { size } of sizes)
      if (size > tree.size) problems.push(`the checkpoint is over ${size} leaves, and there are ${tree.size}`);
} catch (error) {
  problems.push(error.message);
}
for (const problem of problems) console.error(problem);
if (problems.length === 0) console.log(JSON.stringify(counts));
process.exitCode = problems.length === 0 ? 0 : 1;
