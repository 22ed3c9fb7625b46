import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { BellService } from '../bell/bell-service';
import { isFinished } from '../bell/ring';

/** Counts for Prometheus. Labels are names of bells and words of BellBot's own, so that there are few. */
export function metricsOf(service: BellService): Registry {
  const registry = new Registry();
  const registers = [registry];
  const rings = new Counter({
    name: 'bellbot_rings_total',
    help: 'Rings and sweeps that are finished, and those that were refused.',
    labelNames: ['bell', 'outcome'],
    registers,
  });
  const seconds = new Histogram({
    name: 'bellbot_ring_seconds',
    help: 'From the acceptance of a ring to its end.',
    labelNames: ['bell'],
    buckets: [0.5, 1, 2, 5, 10, 30, 60, 120, 300],
    registers,
  });
  new Gauge({
    name: 'bellbot_queued',
    help: 'Rings that wait.',
    labelNames: ['bell'],
    registers,
    collect() {
      for (const { id, queued } of service.view().bells) this.set({ bell: id }, queued);
    },
  });
  new Gauge({
    name: 'bellbot_board_ready',
    help: '1 while the board is connected.',
    registers,
    collect() {
      this.set(Number(service.view().board.status === 'ready'));
    },
  });
  service.events.on('refused', (bell) => rings.inc({ bell, outcome: 'refused' }));
  service.events.on('ring', (ring) => {
    if (!isFinished(ring)) return;
    rings.inc({ bell: ring.bell, outcome: ring.status });
    seconds.observe({ bell: ring.bell }, (Date.parse(ring.finishedAt ?? '') - Date.parse(ring.queuedAt)) / 1000);
  });
  return registry;
}
