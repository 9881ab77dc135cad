/** The page's script: says what a cell holds, to the pointer, a finger and the arrow keys. */
export const tipScript = `"use strict";(() => {
  const tip = document.getElementById("tip");
  const said = JSON.parse(document.getElementById("cells").textContent);
  const hide = () => {
    tip.hidden = true;
    for (const marked of document.querySelectorAll("[data-cell].on")) marked.classList.remove("on");
  };
  const say = (figure, index) => {
    const rect = figure.querySelector('[data-cell="' + index + '"]');
    hide();
    if (!rect) return;
    rect.classList.add("on");
    tip.textContent = said[figure.dataset.map][index];
    tip.hidden = false;
    const box = rect.getBoundingClientRect();
    const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
    tip.style.left = Math.max(8, Math.min(room, box.left + box.width / 2 - tip.offsetWidth / 2)) + scrollX + "px";
    const above = box.top - tip.offsetHeight - 8;
    tip.style.top = (above > 0 ? above : box.bottom + 8) + scrollY + "px";
  };
  const point = ({ target }) => {
    const rect = target instanceof Element ? target.closest("[data-cell]") : null;
    const figure = rect && rect.closest("figure[data-map]");
    if (figure) say(figure, Number(rect.getAttribute("data-cell")));
    else hide();
  };
  const step = (event) => {
    if (event.key === "Escape") hide();
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const figure = event.target instanceof Element ? event.target.closest("figure[data-map]") : null;
    if (!figure || !move) return;
    event.preventDefault();
    const wide = Number(figure.dataset.wide);
    const high = said[figure.dataset.map].length / wide;
    const on = figure.querySelector("[data-cell].on");
    const now = on ? Number(on.getAttribute("data-cell")) : 0;
    const bounded = (value, count) => Math.min(count - 1, Math.max(0, value));
    say(figure, bounded(Math.floor(now / wide) + move[0], high) * wide + bounded((now % wide) + move[1], wide));
  };
  for (const svg of document.querySelectorAll("figure[data-map] svg")) svg.tabIndex = 0;
  document.addEventListener("pointerover", point);
  document.addEventListener("pointerdown", point);
  document.addEventListener("keydown", step);
})();`;
