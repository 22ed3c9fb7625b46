import { EventBus } from '../../framework/telemetry/events';

const EVENT = { transactionId: 1, attempt: 1, pauseMs: 3, error: undefined };

test('every listener of an event hears it, until it is taken off', () => {
  const bus = new EventBus();
  const heard: string[] = [];
  const off = bus.on('transaction:retry', ({ pauseMs }) => heard.push(`first ${pauseMs}`));
  bus.on('transaction:retry', () => heard.push('second'));
  expect([bus.hears('transaction:retry'), bus.hears('statement:end')]).toEqual([true, false]);
  bus.emit('transaction:retry', EVENT);
  off();
  bus.emit('transaction:retry', EVENT);
  expect(heard).toEqual(['first 3', 'second', 'second']);
});

test('a listener that throws is a warning; the others hear the event all the same', () => {
  const bus = new EventBus();
  const heard: string[] = [];
  bus.on('transaction:retry', () => {
    throw new Error('a broken listener');
  });
  bus.on('transaction:retry', () => heard.push('second'));
  const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  bus.emit('transaction:retry', EVENT);
  expect(heard).toEqual(['second']);
  expect(warn.mock.calls).toEqual([[new Error('a broken listener')]]);
  warn.mockRestore();
});
