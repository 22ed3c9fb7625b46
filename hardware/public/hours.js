// Counts by hour, as bars of rung, failed and refused, one upon the other.

const SVG = 'http://www.w3.org/2000/svg';
const HEIGHT = 150;
const WIDTH = 600;
const OUTCOMES = ['rung', 'failed', 'refused'];
const chart = document.getElementById('hours');
const labels = document.getElementById('hour-labels');

/** @param hours oldest first: `{ hour, rung, failed, refused }` */
export function drawHours(hours) {
  const highest = Math.max(0, ...hours.map(countOf));
  const width = WIDTH / Math.max(1, hours.length);
  chart.replaceChildren(
    ...hours.map((hour, index) => barOf(hour, index * width, width, HEIGHT / Math.max(1, highest))),
  );
  labels.replaceChildren(...hours.map(labelOf));
  const totals = OUTCOMES.map((outcome) => hours.reduce((sum, hour) => sum + hour[outcome], 0));
  OUTCOMES.forEach((outcome, index) => show(outcome, totals[index]));
  show('highest', highest);
  const busiest = hours.find((hour) => highest > 0 && countOf(hour) === highest);
  chart.setAttribute(
    'aria-label',
    `Of the last 24 hours: ${OUTCOMES.map((outcome, index) => `${totals[index]} ${outcome}`).join(', ')}` +
      (busiest ? `; most of them, ${highest}, from ${clock(busiest)} o'clock` : ''),
  );
}

const countOf = (hour) => OUTCOMES.reduce((sum, outcome) => sum + hour[outcome], 0);
const clock = ({ hour }) => String(new Date(hour).getHours()).padStart(2, '0');
const show = (total, count) => (document.querySelector(`[data-total=${total}]`).textContent = String(count));

function barOf(hour, x, width, perRing) {
  const bar = document.createElementNS(SVG, 'g');
  bar.dataset.hour = hour.hour;
  const told = OUTCOMES.map((outcome) => `${hour[outcome]} ${outcome}`).join(', ');
  bar.append(Object.assign(document.createElementNS(SVG, 'title'), { textContent: `${clock(hour)}:00: ${told}` }));
  bar.append(rectangle('hour', x, 0, width, HEIGHT)); // all of the hour shows its title
  let top = HEIGHT;
  for (const outcome of OUTCOMES) {
    const height = hour[outcome] * perRing;
    top -= height;
    if (height > 0) bar.append(rectangle(outcome, x + width * 0.12, top, width * 0.76, height));
  }
  return bar;
}

function rectangle(name, x, y, width, height) {
  const element = document.createElementNS(SVG, 'rect');
  for (const [attribute, value] of Object.entries({ class: name, x, y, width, height }))
    element.setAttribute(attribute, String(value));
  return element;
}

function labelOf(hour, index, { length }) {
  const label = document.createElement('span');
  if ((length - 1 - index) % 3 === 0) label.textContent = clock(hour);
  return label;
}
