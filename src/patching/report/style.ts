/** The page's look: light and dark, wide and narrow, screen and paper. */
export const style = `
:root { color-scheme: light dark; --ground: #faf9fc; --panel: #ffffff; --ink: #1d1b26; --quiet: #5d5870; --line: #ddd8e8; --accent: #54278f; --right: #1b6ca8; --wrong: #a8500a; --bad: #b2182b; --note: #f1ecf8; --shade: #1d1b2633; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #15131c; --panel: #1d1a27; --ink: #e9e5f2; --quiet: #a79fbb; --line: #383247; --accent: #c0a6ee; --right: #7cc0f2; --wrong: #f0a868; --bad: #ff8a8a; --note: #282137; --shade: #00000099; }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; overflow-wrap: break-word; background: var(--ground); color: var(--ink); font: 15px/1.55 system-ui, -apple-system, "Segoe UI", "Open Sans", "DejaVu Sans", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 28px 24px 64px; }
header p { margin: 0; color: var(--quiet); }
h1 { margin: 0 0 2px; font-size: 27px; line-height: 1.2; letter-spacing: -0.01em; text-wrap: balance; }
h2 { margin: 0 0 10px; font-size: 19px; line-height: 1.3; }
h3 { margin: 20px 0 6px; font-size: 15px; }
section { margin-top: 40px; }
section > p { max-width: 78ch; }
p { margin: 0 0 10px; }
.lead { font-size: 16.5px; }
.quiet, small { color: var(--quiet); }
.note { padding: 10px 14px; border-left: 3px solid var(--accent); background: var(--note); border-radius: 0 6px 6px 0; }
nav { display: flex; flex-wrap: wrap; gap: 4px 18px; margin-top: 14px; }
a { color: var(--accent); }
form { display: flex; flex-wrap: wrap; gap: 10px 12px; align-items: end; margin: 12px 0 16px; padding: 12px 14px; border: 1px solid var(--line); border-radius: 8px; background: var(--panel); }
label { display: grid; gap: 3px; font-size: 12.5px; color: var(--quiet); min-width: 0; }
label.tick { display: flex; gap: 6px; align-items: center; padding-bottom: 7px; }
select { font: inherit; font-size: 14px; color: var(--ink); background: var(--ground); border: 1px solid var(--line); border-radius: 6px; padding: 5px 8px; max-width: 100%; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
figure { margin: 0; min-width: 0; }
.map { padding: 14px; border: 1px solid var(--line); border-radius: 8px; background: var(--panel); }
.map svg { display: block; max-width: 100%; }
.maps { display: grid; gap: 20px; }
.maps > div { min-width: 0; display: grid; grid-template-rows: auto 1fr; }
.maps h3 { margin-top: 0; }
.two { display: grid; gap: 0 44px; }
.two > div { min-width: 0; }
.two h3:first-child { margin-top: 0; }
.beside { display: grid; gap: 20px 28px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr)); }
.beside:has(> div > .run) { grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); }
.beside + .beside { margin-top: 20px; }
.together .beside + .beside { margin-top: 0; }
.beside > * { min-width: 0; }
.beside .lens svg { max-width: 480px; }
.together .beside > div { display: grid; grid-template-rows: auto 1fr; }
.maps h3 small { font-weight: 400; }
.run { font-size: 17px; margin-top: 4px; }
main:has(.beside) { max-width: 1400px; }
.alarm { padding: 10px 14px; border-left: 3px solid var(--bad); background: var(--note); border-radius: 0 6px 6px 0; font-weight: 600; }
.many { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 440px), 1fr)); gap: 26px 22px; }
.lens figcaption { margin: 0 0 6px; font-size: 13.5px; }
.lens figcaption small { display: inline; white-space: nowrap; font-size: 12.5px; }
.lens svg { width: 100%; height: auto; }
.lens .rule, .lens .zero { stroke: currentColor; stroke-opacity: 0.14; }
.lens .zero { stroke-opacity: 0.45; }
.lens .clean { color: var(--right); }
.lens .corrupt { color: var(--wrong); }
.lens polyline { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
.lens .corrupt polyline { stroke-dasharray: 5 3; }
.lens circle, .lens .name { fill: currentColor; }
[data-cell] { cursor: crosshair; }
[data-cell].on { stroke: #ff8c00; stroke-width: 3; stroke-opacity: 1; stroke-dasharray: none; }
#tip { position: absolute; z-index: 2; max-width: 300px; padding: 7px 10px; border-radius: 6px; background: var(--ink); color: var(--ground); font-size: 13px; line-height: 1.4; pointer-events: none; overflow-wrap: anywhere; }
#tip small { color: inherit; opacity: 0.75; }
details { margin-top: 8px; font-size: 13px; }
summary { cursor: pointer; color: var(--quiet); }
.wide { --back: var(--ground); overflow-x: auto; margin: 8px 0 12px; background: linear-gradient(to right, var(--back) 30%, transparent) left / 36px 100%, linear-gradient(to left, var(--back) 30%, transparent) right / 36px 100%, linear-gradient(to right, var(--shade), transparent) left / 12px 100%, linear-gradient(to left, var(--shade), transparent) right / 12px 100%; background-repeat: no-repeat; background-attachment: local, local, scroll, scroll; }
.card .wide, .map .wide { --back: var(--panel); }
table { border-collapse: collapse; font-size: 13.5px; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 14px 5px 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { font-weight: 600; color: var(--quiet); white-space: nowrap; }
.number, details td { text-align: right; white-space: nowrap; }
.bar { display: block; margin-top: 5px; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 340px), 1fr)); gap: 16px; }
.card { padding: 14px 16px; border: 1px solid var(--line); border-radius: 8px; background: var(--panel); break-inside: avoid; min-width: 0; }
.card h3 { margin: 0 0 10px; }
.card h3 small { font-weight: 400; }
.card table { width: 100%; font-size: 12.5px; }
.card th, .card td { padding-right: 8px; }
.card .wide { margin-bottom: 0; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 10px; margin-bottom: 10px; }
.pair img, .gone { width: 100%; aspect-ratio: 1; object-fit: contain; background: var(--ground); border-radius: 4px; display: grid; place-content: center; color: var(--quiet); font-size: 13px; }
figcaption { font-size: 12.5px; line-height: 1.35; margin-top: 3px; }
figcaption small { display: block; overflow-wrap: anywhere; font-size: 11px; }
.prompt { margin: 0 0 4px; font-size: 14px; }
.prompt span { display: block; color: var(--quiet); font-size: 11.5px; line-height: 1.3; }
.right { color: var(--right); }
.wrong { color: var(--wrong); text-decoration: underline dotted; text-underline-offset: 3px; }
.bad { color: var(--bad); }
dl { margin: 0; display: grid; gap: 0; }
dl div { display: grid; grid-template-columns: 180px 1fr; gap: 12px; padding: 5px 0; border-bottom: 1px solid var(--line); }
dt { color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
.hash { font-size: 12.5px; }
@media (min-width: 1000px) {
  .two { grid-template-columns: 1fr auto; }
  .two .quiet { max-width: 54ch; }
  .maps { grid-template-columns: 3fr 2fr; }
  .maps:has(.many), .maps.together, .beside .two { grid-template-columns: 1fr; }
}
@media (min-width: 641px) {
  .beside .wide table { font-size: 12.5px; }
  .beside .wide :is(th, td) { padding-right: 9px; }
  .beside .wide th { white-space: normal; vertical-align: bottom; }
  .beside td:has(.bar) { padding: 0; }
  .beside .bar { display: none; }
}
@media (max-width: 640px) {
  main { padding: 18px 14px 48px; }
  h1 { font-size: 22px; }
  .lead { font-size: 15.5px; }
  form { display: grid; grid-template-columns: 1fr 1fr; }
  select { width: 100%; }
  .map { padding: 10px 8px; }
  dl div { grid-template-columns: 1fr; gap: 0; }
  table { font-size: 12px; }
  th, td { padding-right: 9px; }
  th, th.number { white-space: normal; }
  .wide table:has(th:nth-child(6)) { min-width: 640px; }
  td:has(.bar) { padding: 0; }
  .bar { display: none; }
}
@media print {
  :root { --ground: #ffffff; --panel: #ffffff; --ink: #000000; --quiet: #444444; --line: #bbbbbb; --accent: #54278f; --note: #f4f0fa; --right: #1b6ca8; --wrong: #a8500a; --bad: #b2182b; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  form, nav, details, #tip, .screen { display: none !important; }
  main { max-width: none; padding: 0; }
  section { margin-top: 24px; }
  figure, tr, dl div, section > p { break-inside: avoid; }
  h2, h3, section > .quiet { break-after: avoid; }
  a[href]:not([href^="#"])::after { content: " (" attr(href) ")"; font-size: 0.8em; color: var(--quiet); overflow-wrap: anywhere; }
  .wide { overflow: visible; background: none; }
  table { font-size: 11px; }
  th, td { padding: 3px 8px 3px 0; }
  th, th.number { white-space: normal; }
  .bar { display: none; }
  td:has(.bar) { padding: 0; }
  .maps, .maps > div { display: block; }
  .maps > div { break-inside: avoid; margin-bottom: 14px; }
  .many { grid-template-columns: 1fr 1fr; gap: 12px; }
  .cards { grid-template-columns: repeat(3, 1fr); gap: 10px; }
  .card { padding: 10px; }
  .card h3, .prompt { font-size: 12px; line-height: 1.35; }
  .card figcaption small { font-size: 8px; }
  .card table { font-size: 9.5px; }
  .card th, .card td { padding-right: 4px; }
}
`;
