/** A copy of a template's only element, and the places in it that are filled in, by their name. */
export function fromTemplate(id) {
  const element = document.getElementById(id).content.firstElementChild.cloneNode(true);
  const slots = Object.fromEntries(
    [...element.querySelectorAll('[data-slot]')].map((slot) => [slot.dataset.slot, slot]),
  );
  return { element, slots };
}
