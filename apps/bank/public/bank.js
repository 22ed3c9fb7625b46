// The page works without this. With it, an attack is followed live, and a form is sent once.
'use strict';

const panel = document.getElementById('panel');
const launch = document.querySelector('form[data-attack]');

function follow(run) {
  const button = launch.querySelector('button');
  button.disabled = true;
  const events = new EventSource(`/api/attacks/${run}/events`);
  // The server has escaped what is in it: it is the same markup that the page itself is made of.
  const draw = (event) => (panel.innerHTML = JSON.parse(event.data));
  const end = () => {
    events.close();
    button.disabled = false;
  };
  events.addEventListener('panel', draw);
  events.addEventListener('over', (event) => {
    draw(event);
    end();
  });
  events.addEventListener('error', end);
}

if (panel && launch) {
  launch.addEventListener('submit', async (event) => {
    event.preventDefault();
    launch.querySelector('.problem')?.remove();
    const transfers = new FormData(launch).get('transfers');
    try {
      const response = await fetch('/api/attacks', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ transfers }),
      });
      const answer = await response.json();
      if (response.ok) follow(answer.id);
      else complain(`${answer.detail} ${answer.remedy}`);
    } catch {
      complain('The bank does not answer. Start it again, then reload this page.');
    }
  });
  if (panel.dataset.run) follow(panel.dataset.run);
}

function complain(text) {
  const message = document.createElement('p');
  message.className = 'message problem';
  message.setAttribute('role', 'alert');
  message.textContent = text;
  launch.append(message);
}

for (const form of document.querySelectorAll('form[method=post]:not([data-attack])')) {
  form.addEventListener('submit', () => {
    // After the browser has read the pressed button into the form.
    setTimeout(() => form.querySelectorAll('button').forEach((button) => (button.disabled = true)));
  });
}
window.addEventListener('pageshow', (event) => {
  if (event.persisted) document.querySelectorAll('form button').forEach((button) => (button.disabled = false));
});

const problem = document.querySelector('form .problem');
if (problem) problem.closest('form').scrollIntoView({ block: 'center' });
