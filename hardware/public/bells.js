// The bells: each with its arm, drawn at the angle that its servo has.

import { fromTemplate } from './template.js';

const list = document.getElementById('bells');
const cards = new Map();

/** @param send called with the bell's id, `ring` or `sweep`, and the card's place for the answer */
export function drawBells(bells, send) {
  document.getElementById('no-bells').hidden = bells.length > 0;
  for (const [id, card] of cards) {
    if (bells.some((bell) => bell.id === id)) continue;
    card.element.remove();
    cards.delete(id);
  }
  for (const bell of bells) {
    const card = cards.get(bell.id) ?? addCard(bell, send);
    card.bell = bell;
    describe(card);
    turn(bell.id, bell.degrees);
  }
}

/** Turns the arm. Drawn so that it lies on the bell at `strike`, and above it at `start`, whichever is the greater. */
export function turn(id, degrees) {
  const card = cards.get(id);
  if (!card) return;
  const { bell, slots, motion } = card;
  const isOnBell = degrees === bell.strike;
  slots.arm.style.transform = `rotate(${liftOf(bell, degrees)}deg)`;
  slots.degrees.textContent = `${Math.round(degrees)}°`;
  motion.dataset.degrees = String(degrees);
  motion.classList.toggle('struck', isOnBell && !bell.muted);
  const where = isOnBell ? 'on the bell' : degrees === bell.start ? 'at rest' : 'moving';
  motion.setAttribute('aria-label', `Arm of ${bell.id}: ${Math.round(degrees)} degrees, ${where}`);
}

const liftOf = ({ start, strike }, degrees) => (strike - degrees) * (strike < start ? -1 : 1);

function addCard(bell, send) {
  const { element, slots } = fromTemplate('bell');
  const card = { element, slots, bell, motion: element.querySelector('.motion') };
  element.dataset.bell = bell.id;
  slots.id.textContent = bell.id;
  for (const button of element.querySelectorAll('[data-action]')) {
    button.setAttribute('aria-label', `${button.textContent} ${bell.id}`);
    button.addEventListener('click', () => send(bell.id, button.dataset.action, slots.answer));
  }
  list.append(element);
  cards.set(bell.id, card);
  return card;
}

function describe({ bell, slots, element }) {
  const state = bell.muted ? 'muted' : bell.striking ? 'striking' : 'at rest';
  element.dataset.state = state.replace(' ', '-');
  slots.state.textContent = bell.muted ? 'muted: it is dark' : state;
  slots.start.style.transform = `rotate(${liftOf(bell, bell.start)}deg)`;
  slots.queue.textContent = bell.queued === 0 ? 'Nobody waits' : `${bell.queued} of ${bell.limit} waiting`;
  // Few waiting are green, many yellow, a queue that is nearly full is red.
  Object.assign(slots.meter, { max: bell.limit, low: bell.limit / 2, high: bell.limit * 0.9, optimum: 0 });
  slots.meter.value = bell.queued;
  slots.meter.textContent = slots.queue.textContent;
  slots.meter.setAttribute('aria-label', `Queue of ${bell.id}`);
  slots.facts.textContent =
    `Pin ${bell.pin}: ${bell.start}° to ${bell.strike}°, ` + `held ${bell.sdelay} ms, the next after ${bell.pdelay} ms`;
}
