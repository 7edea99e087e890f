import { describe, expect, it } from 'vitest';
import { parseTask, Refusal } from '../bench/task.ts';

const task = (...args: string[]) => parseTask(args, '20');

describe('the benchmark', () => {
  it('measures every size in the running Node when nothing is asked for', () => {
    expect(task()).toEqual({ mode: 'print', sizes: [16, 100, 1024, 65_536], nodes: ['20'], rounds: 5 });
  });

  it('measures what is asked for', () => {
    expect(task('100', '--node', '22,24', '--rounds', '3')).toEqual({
      mode: 'print',
      sizes: [100],
      nodes: ['22', '24'],
      rounds: 3,
    });
  });

  it('writes what four versions of Node say of every size', () => {
    expect(task('--write')).toMatchObject({
      mode: 'write',
      sizes: [16, 100, 1024, 65_536],
      nodes: ['20', '22', '24', '26'],
    });
    expect(task('--write', '--node', '24').nodes).toEqual(['24']);
  });

  it('checks in fewer rounds what targets speak of', () => {
    expect(task('--check')).toEqual({ mode: 'check', sizes: [100, 65_536], nodes: ['20'], rounds: 3 });
  });

  it('explains itself', () => {
    expect(task('--write', '--help').mode).toBe('help');
  });

  it.each([
    [['--write', '--check'], '--write and --check exclude each other'],
    [['--write', '100'], '--write measures sizes of its own'],
    [['0'], 'a size is a number of bytes from 1 to 1048576'],
    [['100k'], 'a size is a number of bytes from 1 to 1048576'],
    [['--rounds', '0'], '--rounds takes a whole number above 0'],
    [['--node', 'v20'], '--node takes major versions, such as 20,24'],
  ])('refuses %j', (args, message) => {
    expect(() => task(...args)).toThrow(new Refusal(message));
  });
});
