import { SimulatedArduino } from '../../../hardware/boards/simulated-arduino';
import { simulatedBoard } from '../../../hardware/boards/simulated-board';

test('the whole chain: a servo at rest, a strike, back', async () => {
  const arduino = new SimulatedArduino();
  const board = simulatedBoard(arduino);
  const statuses: string[] = [];
  board.events.on('status', (status) => statuses.push(status));
  const servo = board.servo(8, 75);
  await board.open();
  expect(arduino.emulator.pulse(8)).toBe(1350);
  await servo.to(90);
  expect(arduino.emulator.pulse(8)).toBe(1500);
  await servo.to(75);
  expect(arduino.emulator.pulse(8)).toBe(1350);
  await board.close();
  expect(statuses).toEqual(['ready', 'closed']);
});
