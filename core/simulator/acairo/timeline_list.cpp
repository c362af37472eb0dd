// The page's script, third part: the list, the details, and what mouse and keyboard do.
#include <acairo/timeline_model.hpp>

namespace acairo::simulator::timeline {

// Texts of the run become textContent only, never markup.
const std::string_view page_list = R"js(
function element(name, text, kind) {
  const it = document.createElement(name);
  if (text !== undefined) it.textContent = text;
  if (kind) it.className = kind;
  return it;
}
// --- the list: only the rows in view are elements ---
const rowHeight = 22, rows = $('rows');
let listed = [], callsOnly = boxes.length > 600 && boxes.some(box => box.calls.length);
function fillRows() {
  listed = boxes.filter(box => (!callsOnly || box.calls.length || box === pick) && (!found || found.has(box.index)))
    .map(box => ({box}));
  if (!found && failed) {
    for (const pause of pauses) if (pause.to === null) listed.push({pause});
    listed.push({end: true});
  }
  $('calls').setAttribute('aria-pressed', callsOnly);
  drawRows();
}
function rowOf({box, pause, end}) {
  const row = element('div', undefined, 'row');
  const cells = box ? [box.step, timeText(box.time), laneName(box.thread), whatOf(box), notesOf(box).join(', '), box.source] :
    pause ? [pause.from, '', laneName(pause.thread), 'waits: ' + waitOf(pause), '\u2716 never woken', ''] :
    [last, '', '', '\u2716 ' + run.verdict, '', ''];
  ['step', 'time', 'thread', 'what', 'note', 'source'].forEach((name, i) => {
    const cell = element('span', cells[i], name);
    cell.title = cells[i];
    if (name === 'what' && box && !box.injected) cell.style.color = color[box.kind === 'other' ? 'faint' : box.kind];
    row.append(cell);
  });
  if (box) {
    row.classList.toggle('fault', box.injected);
    row.classList.toggle('preempt', box.preempted !== null);
    row.classList.toggle('pick', box === pick);
    row.onclick = () => select(box);
  } else row.classList.add('end');
  return row;
}
function drawRows() {
  const from = Math.max(0, Math.floor(rows.scrollTop / rowHeight) - 5), to = Math.min(listed.length, from + Math.ceil(rows.clientHeight / rowHeight) + 10);
  const height = element('div');
  height.style.height = listed.length * rowHeight + 'px';
  const shown = [height];
  for (let i = from; i < to; ++i) {
    const row = rowOf(listed[i]);
    row.style.top = i * rowHeight + 'px';
    shown.push(row);
  }
  rows.replaceChildren(...shown);
}
function scrollToPick() {
  if (callsOnly) fillRows();
  const at = pick ? listed.findIndex(({box}) => box === pick) : -1;
  if (at >= 0 && (at * rowHeight < rows.scrollTop || (at + 1) * rowHeight > rows.scrollTop + rows.clientHeight)) {
    rows.scrollTop = at * rowHeight - rows.clientHeight / 2;
  }
  drawRows();
}

// --- details ---
function detailsOf(box) {
  const list = element('dl'), add = (name, text, kind) => { if (text) list.append(element('dt', name), element('dd', text, kind)); };
  add('thread', laneName(box.thread) + ', ' + lanes[box.thread].started);
  add('time', timeText(box.time));
  add('object', box.object);
  for (const call of box.calls) add(call.injected ? '\u26a1 injected' : 'call', call.text, call.injected ? 'fault' : '');
  add('\u26a1 injected', box.fault, 'fault');
  if (!box.calls.length) add(box.operation === 'atomic.load' ? 'value' : 'result', box.value);
  add('source', box.source);
  if (box.candidates > 1) add('chosen', 'among ' + box.candidates + ' threads that could run');
  if (box.preempted !== null) add('preempts', laneName(box.preempted) + ', which could have gone on', 'preempt');
  if (box.pause) add('before', storyOf(box.pause));
  if (box.wakes) add('wakes', box.wakes.map(laneName).join(', '));
  return list;
}
const keys = [['\u2190 \u2192', 'step'], ['Shift \u2190 \u2192', 'step of the same thread'], ['+ \u2212', 'closer, further'], ['a d', 'scroll'],
  ['f', 'whole run'], ['/', 'find'], ['n N', 'next, previous found'], ['i', 'injected fault'], ['p', 'preemption'], ['Home End', 'first, last'], ['c', 'calls only'],
  ['Esc', 'nothing']];
function tellDetails() {
  const side = $('side');
  if (pick) {
    const same = boxes.filter(box => box.object && box.object === pick.object);
    side.replaceChildren(element('h2', 'Step ' + pick.step + ': ' + whatOf(pick)), detailsOf(pick));
    if (same.length > 1) {
      const button = element('button', 'All ' + same.length + ' steps on ' + pick.object);
      button.onclick = () => { $('find').value = pick.object; search(pick.object); };
      side.append(element('p'), button);
    }
    return;
  }
  const help = element('dl');
  for (const [key, meaning] of keys) {
    const term = element('dt');
    for (const one of key.split(' ')) term.append(element('kbd', one), ' ');
    help.append(term, element('dd', meaning));
  }
  side.replaceChildren(element('h2', 'Point at a step for its details'), element('p', 'A click keeps them, and marks what else happens to the same object. Wheel: closer and further. Drag: scroll. Shift and wheel: sideways.', 'hint'), help);
}
function tip(event, box, pause) {
  const it = $('tip');
  it.style.display = box || pause ? 'block' : 'none';
  if (box) it.replaceChildren(element('b', 'Step ' + box.step + ': ' + whatOf(box)), detailsOf(box));
  else if (pause) it.replaceChildren(storyOf(pause));
  else return;
  const place = it.getBoundingClientRect();
  it.style.left = Math.min(event.clientX + 14, innerWidth - place.width - 8) + 'px';
  it.style.top = (event.clientY + 18 + place.height > innerHeight ? event.clientY - place.height - 10 : event.clientY + 18) + 'px';
}

// --- mouse ---
function boxAt(event) {
  const x = event.offsetX, y = event.offsetY;
  if (x < gutter || y < axis) return null;
  const step = stepAt(x), thread = Math.floor((y - axis + view.top) / view.lane);
  const i = firstAtOrAfter(boxes, Math.floor(step)), near = Math.max(1, 3 / view.scale);
  const box = [boxes[i], boxes[i - 1], boxes[i + 1]].find(box => box && box.thread === thread && step >= box.step && step < box.step + near);
  return box || null;
}
function pauseAt(event) {
  const step = stepAt(event.offsetX), thread = Math.floor((event.offsetY - axis + view.top) / view.lane);
  if (event.offsetX < gutter || event.offsetY < axis) return null;
  return pauses.find(it => it.thread === thread && step >= it.from + 1 && step < (it.to === null ? end : Math.max(it.to + 1, it.resumes ?? 0))) || null;
}
let drag = null;
chart.onpointerdown = event => { drag = {x: event.clientX, y: event.clientY, left: view.left, top: view.top, moved: false}; chart.setPointerCapture(event.pointerId); };
chart.onpointermove = event => {
  if (drag) {
    const x = event.clientX - drag.x, y = event.clientY - drag.y;
    if (Math.abs(x) + Math.abs(y) > 4) drag.moved = true;
    if (drag.moved) { view.left = drag.left - x / view.scale; view.top = drag.top - y; tip(event, null); redraw(); }
    return;
  }
  const box = boxAt(event);
  if (box !== hover) { hover = box; redraw(); }
  tip(event, box, box ? null : pauseAt(event));
};
chart.onpointerup = event => { if (drag && !drag.moved) select(boxAt(event)); drag = null; };
chart.onpointerleave = event => { hover = null; tip(event, null); redraw(); };
chart.addEventListener('wheel', event => {
  event.preventDefault();
  tip(event, null);
  if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) view.left += (event.deltaX || event.deltaY) / view.scale;
  else if (event.altKey) view.top += event.deltaY;
  else return zoom(Math.exp(-event.deltaY * .0016), event.offsetX);
  redraw();
}, {passive: false});
const toMap = event => {
  const at = first + (event.offsetX - gutter) / (map.clientWidth - gutter - 8) * span();
  view.left = at - inner() / view.scale / 2;
  redraw();
};
map.onpointerdown = event => { map.setPointerCapture(event.pointerId); toMap(event); };
map.onpointermove = event => { if (event.buttons) toMap(event); };
let chartHeight = null;
$('split').onpointerdown = event => { $('split').setPointerCapture(event.pointerId); chartHeight = chart.clientHeight - event.clientY; };
$('split').onpointermove = event => { if (event.buttons) { chart.style.height = Math.max(120, chartHeight + event.clientY) + 'px'; layout(true); } };
rows.onscroll = drawRows;

// --- keyboard and buttons ---
const whole = () => { view.scale = smallest(); view.left = first; redraw(); };
const foundList = () => found ? boxes.filter(box => found.has(box.index)) : [];
const onKey = {
  ArrowRight: event => next(event.shiftKey && pick ? mine[pick.thread] : boxes), ArrowLeft: event => next(event.shiftKey && pick ? mine[pick.thread] : boxes, -1),
  ArrowDown: () => next(listed.flatMap(({box}) => box || [])), ArrowUp: () => next(listed.flatMap(({box}) => box || []), -1),
  '+': () => zoom(1.4), '=': () => zoom(1.4), '-': () => zoom(1 / 1.4), f: whole, i: () => next(faults), p: () => next(preemptions),
  a: () => { view.left -= inner() / view.scale / 3; redraw(); }, d: () => { view.left += inner() / view.scale / 3; redraw(); },
  n: () => next(foundList()), N: () => next(foundList(), -1), c: () => { callsOnly = !callsOnly; fillRows(); },
  Home: () => boxes.length && select(boxes[0]), End: () => boxes.length && select(boxes[boxes.length - 1]),
  '/': () => $('find').focus(), Escape: () => { $('find').value = ''; search(''); select(null); },
};
document.onkeydown = event => {
  const typing = event.target === $('find');
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (typing && event.key === 'Enter') { next(foundList(), event.shiftKey ? -1 : 1); return; }
  if (typing && event.key !== 'Escape') return;
  const act = onKey[event.key];
  if (!act) return;
  event.preventDefault();
  if (typing) $('find').blur();
  act(event);
};
$('find').oninput = () => search($('find').value);
$('fit').onclick = whole;
$('in').onclick = () => zoom(1.4);
$('out').onclick = () => zoom(1 / 1.4);
$('faults').onclick = onKey.i;
$('preemptions').onclick = onKey.p;
$('calls').onclick = onKey.c;
$('more').onclick = () => { const open = $('report').classList.toggle('open'); $('more').setAttribute('aria-pressed', open); layout(true); };
$('copy').onclick = async () => {
  try { await navigator.clipboard.writeText($('command').textContent); }
  // Without this, a page from a file copies nothing where the browser trusts only servers.
  catch { getSelection().selectAllChildren($('command')); document.execCommand('copy'); }
  $('copy').textContent = 'Copied';
  setTimeout(() => { $('copy').textContent = 'Copy'; }, 1500);
};
function legend() {
  const kinds = [['mutex', 'mutex'], ['condition', 'condition'], ['atomic', 'atomic'], ['thread', 'thread'], ['call', 'system call'], ['fault', '\u26a1 injected fault'],
    ['wait', 'waits'], ['wake', 'wakes'], ['preempt', '\u25bc preemption']];
  $('legend').replaceChildren(...kinds.map(([kind, text]) => {
    const item = element('span'), canvas = element('canvas');
    item.append(canvas, text);
    requestAnimationFrame(() => {
      const pen = paper(canvas);
      if (kind === 'wake') { line(pen, 2, 7, 16, 7, color.good, 1.6); pen.rotate(-Math.PI / 2); triangle(pen, -7, 14, 4, true, color.good); }
      else if (kind === 'preempt') { line(pen, 11, 0, 11, 14, color.preempt, 2, [5, 3]); triangle(pen, 11, 2, 5, true, color.preempt); }
      else {
        pen.globalAlpha = ['fault', 'wait'].includes(kind) ? 1 : .15; pen.fillStyle = color[kind]; pen.fillRect(0, 1, 22, 12);
        pen.globalAlpha = 1; if (kind !== 'wait') pen.fillRect(0, 1, 22, 3);
      }
    });
    return item;
  }));
}
function layout(keep) {
  const most = Math.max(160, innerHeight * .52), wanted = axis + lanes.length * 62 + 2;
  if (!keep) {
    view.lane = Math.max(44, Math.min(lanes.length < 5 ? 70 : 62, (most - axis - 2) / lanes.length));
    chart.style.height = Math.min(most, axis + lanes.length * view.lane + 2) + 'px';
  }
  view.width = chart.clientWidth;
  view.height = chart.clientHeight;
  drawRows();
  redraw();
}
function begin() {
  readColors();
  const waits = pauses.filter(pause => pause.to !== null).length;
  $('facts').textContent = [count(run.steps || last, 'step', 'steps'), count(lanes.length, 'thread', 'threads'),
    count(boxes.reduce((sum, box) => sum + box.calls.length, 0), 'system call', 'system calls'), count(waits, 'wake-up', 'wake-ups')].join(' \u00b7 ') +
    (run.leftOut ? ' \u00b7 the first ' + run.leftOut + ' moments are not kept' : '');
  for (const [id, list, sign, one, many] of [['faults', faults, '\u26a1 ', 'injected fault', 'injected faults'], ['preemptions', preemptions, '\u25bc ', 'preemption', 'preemptions']]) {
    $(id).textContent = sign + count(list.length, one, many);
    $(id).disabled = !list.length;
  }
  if (!$('report').textContent.trim()) $('more').hidden = true;
  legend();
  layout();
  const fit = inner() / span();
  view.scale = fit >= 62 ? Math.min(fit, 120) : 74;
  view.left = failed ? first + span() - inner() / view.scale : first;
  tellDetails();
  fillRows();
  if (failed) { rows.scrollTop = listed.length * rowHeight; drawRows(); }
  const wish = new URLSearchParams(location.hash.slice(1));
  if (wish.get('find')) { $('find').value = wish.get('find'); search(wish.get('find')); }
  if (wish.get('step')) select(boxes[Math.min(firstAtOrAfter(boxes, +wish.get('step')), boxes.length - 1)] || null);
  if (wish.has('whole')) whole();
}
addEventListener('resize', () => layout());
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { readColors(); legend(); drawRows(); redraw(); });
begin();
)js";

}  // namespace acairo::simulator::timeline
