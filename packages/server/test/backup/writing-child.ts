/**
 * A process that moves amounts between two tables until it is killed: in every commit the two sums are opposite, and the
 * ledger has one row for each movement. argv holds the database's file.
 */
import Database from 'better-sqlite3';

const db = new Database(process.argv[2], { timeout: 30_000 });
const move = db.transaction((amount: number) => {
  db.prepare('update debit set total = total - ?, movements = movements + 1').run(amount);
  db.prepare('insert into ledger values (?, ?)').run(amount, 'x'.repeat(amount * 20));
  db.prepare('update credit set total = total + ?, movements = movements + 1').run(amount);
});
for (let i = 1; ; i++) {
  move.immediate(i % 100);
  if (i === 10) process.send?.('writing');
  // Lets go of the lock between two commits, as an application does between two requests.
  await new Promise((resolve) => setTimeout(resolve, 3));
}
