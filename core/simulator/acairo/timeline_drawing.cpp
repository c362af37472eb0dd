// The page's script, second part: drawing. Only what is in view is drawn, so that a long run is as quick as a short one.
#include <acairo/timeline_model.hpp>

namespace acairo::simulator::timeline {

const std::string_view page_drawing = R"js(
const chart = $('chart'), map = $('map');
let color = {};
const sans = 'system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';
function readColors() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ['page', 'panel', 'lane', 'ink', 'faint', 'line', 'wait', 'mutex', 'condition', 'atomic', 'thread', 'call', 'other',
    'fault', 'preempt', 'found', 'pick', 'good', 'on']) color[name] = style.getPropertyValue('--' + name).trim();
}
function paper(canvas) {
  const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const pen = canvas.getContext('2d');
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return pen;
}
function line(pen, x1, y1, x2, y2, style, width = 1, dash = []) {
  pen.strokeStyle = style; pen.lineWidth = width; pen.setLineDash(dash);
  pen.beginPath(); pen.moveTo(x1, y1); pen.lineTo(x2, y2); pen.stroke(); pen.setLineDash([]);
}
function triangle(pen, x, y, size, down, style) {
  pen.fillStyle = style; pen.beginPath(); pen.moveTo(x - size, y); pen.lineTo(x + size, y); pen.lineTo(x, y + (down ? size * 1.5 : -size * 1.5));
  pen.closePath(); pen.fill();
}
function fitted(pen, text, width) {
  if (pen.measureText(text).width <= width) return text;
  let size = Math.min(text.length, Math.floor(width / 4));
  while (size > 1 && pen.measureText(text.slice(0, size) + '\u2026').width > width) --size;
  return size > 1 ? text.slice(0, size) + '\u2026' : '';
}
// Of "a_file.cpp:12 function" the line is worth most, then the end of the file's name.
function fittedPlace(pen, text, width) {
  if (pen.measureText(text).width <= width || !text.includes(':')) return text;
  let place = text.split(' ')[0], cut = '';
  while (pen.measureText(cut + place).width > width) { place = place.slice(1); cut = '\u2026'; }
  return cut + place;
}
function write(pen, text, x, y, width, style, font) {
  pen.fillStyle = style; pen.font = font;
  const fits = fitted(pen, text, width);
  if (fits) pen.fillText(fits, x, y);
}
function hatch(pen, x, y, width, height, style) {
  pen.save(); pen.beginPath(); pen.rect(x, y, width, height); pen.clip();
  for (let at = -height; at < width; at += 9) line(pen, x + at, y + height, x + at + height, y, style, 2);
  pen.restore();
}
const visible = () => [Math.max(0, firstAtOrAfter(boxes, Math.floor(view.left)) - 1), firstAtOrAfter(boxes, stepAt(view.width) + 1)];
const isDim = box => found !== null && !found.has(box.index);

function drawBox(pen, box) {
  const small = view.scale < 24, gap = small ? 0 : 2, x = xOf(box.step) + gap, y = yOf(box.thread) + 5;
  const width = Math.max(view.scale - 2 * gap, 1), height = view.lane - 12, tone = color[box.kind];
  pen.globalAlpha = isDim(box) ? .18 : 1;
  if (small) {
    pen.fillStyle = tone; pen.fillRect(x, y + (box.injected ? 0 : 6), Math.max(width - (view.scale > 6 ? 1 : 0), 1), height - (box.injected ? 0 : 12));
  } else {
    pen.fillStyle = color.panel; pen.fillRect(x, y, width, height);
    pen.globalAlpha *= box.injected ? 1 : .15; pen.fillStyle = tone; pen.fillRect(x, y, width, height);
    pen.globalAlpha = isDim(box) ? .18 : 1;
    if (box.injected) { pen.globalAlpha *= .22; hatch(pen, x, y, width, height, color.on); pen.globalAlpha = isDim(box) ? .18 : 1; }
    pen.fillStyle = tone; pen.fillRect(x, y, width, 3);
    const ink = box.injected ? color.on : color.ink, result = outcome(box);
    const lines = [[(box.injected ? '\u26a1' : '') + shortVerb(box), '600 11px '], [shortObject(box), '11px '], [result, (box.injected ? '700' : '600') + ' 11px ']]
      .filter(([text]) => text);
    const step = Math.min(15, (height - 6) / 3), low = y + 3 + (height - 3 - step * lines.length) / 2 + step * .76;
    lines.forEach(([text, font], i) => write(pen, text, x + 4, low + i * step, width - 6,
      i > 0 && !box.injected && text === result ? tone : ink, font + sans));
  }
  if (box.preempted !== null && view.scale > 2) triangle(pen, xOf(box.step), y - 4, small ? 3 : 6, true, color.preempt);
  pen.globalAlpha = 1;
  const same = pick && pick !== box && pick.object && pick.object === box.object;
  if (box === pick || box === hover || same || (found && !isDim(box))) {
    pen.strokeStyle = box === pick ? color.pick : same ? color.mutex : box === hover ? color.faint : color.found;
    pen.lineWidth = box === pick ? 2.5 : 1.6; pen.setLineDash(same && box !== hover ? [4, 3] : []);
    pen.strokeRect(x, y, width, height); pen.setLineDash([]);
  }
}

function drawPause(pen, pause) {
  const from = xOf(pause.from) + view.scale, middle = yOf(pause.thread) + view.lane / 2 - 1;
  const stop = pause.to === null ? xOf(failed ? end : last + 1) : xOf(pause.to) + view.scale * (pause.waker === 'thread' ? .5 : 1);
  const to = Math.max(stop, from), low = Math.max(from, gutter - 5), high = Math.min(to, view.width + 5);
  if (from < view.width && (pause.resumes === null ? to : xOf(pause.resumes)) > gutter) {
    pen.fillStyle = color.wait;
    if (high > low) pen.fillRect(low, middle - 9, high - low, 18);
    const stuck = pause.to === null && failed;
    if (stuck && high > low) {
      pen.globalAlpha = .45; hatch(pen, low, middle - 9, high - low, 18, color.fault); pen.globalAlpha = 1;
      pen.strokeStyle = color.fault; pen.lineWidth = 1; pen.strokeRect(low, middle - 9, high - low, 18);
    }
    const text = (stuck ? '\u2716 never woken: ' : 'waits: ') + waitOf(pause).replace('descriptor', 'fd');
    if (high - low > 40) {
      pen.font = (stuck ? '600 ' : '') + '11px ' + sans;
      const fits = fitted(pen, text, high - low - 10);
      if (stuck && fits) { pen.fillStyle = color.panel; pen.fillRect(low + 3, middle - 7, pen.measureText(fits).width + 6, 14); }
      write(pen, text, low + 6, middle + 4, high - low - 10, stuck ? color.fault : color.faint, (stuck ? '600 ' : '') + '11px ' + sans);
    }
    // Woken, but not yet chosen.
    if (pause.resumes !== null && view.scale > 3) line(pen, Math.max(to, gutter), middle, xOf(pause.resumes), middle, color.faint, 1.5, [2, 4]);
  }
}

function arrow(pen, x, from, to, style, dash, hollow) {
  const down = to > from, tip = to + (down ? -8 : 8);
  line(pen, x, from, x, tip, style, 1.6, dash);
  triangle(pen, x, tip, 5, down, style);
  if (hollow) triangle(pen, x, tip + (down ? 1.3 : -1.3), 2.6, down, color.panel);
}
function drawWake(pen, pause) {
  if (pause.to === null) return;
  const x = xOf(pause.to) + view.scale * (pause.waker === 'thread' ? .5 : 1), middle = yOf(pause.thread) + view.lane / 2 - 1;
  if (x < gutter || x > view.width + 9) return;
  if (pause.waker !== 'thread') {
    if (view.scale < 6) return;
    arrow(pen, x, middle - 9 - Math.min(26, view.lane / 2), middle - 9 + 8, color.faint, [], false);
    if (view.scale > 24) write(pen, pause.waker === 'deadline' ? 'time' : 'network', x + 6, middle - 12, 60, color.faint, '10px ' + sans);
  } else if (pause.by !== pause.thread && view.scale > 3) {
    const down = pause.thread > pause.by, from = yOf(pause.by) + (down ? view.lane - 7 : 5);
    arrow(pen, x, from, down ? middle - 1 : middle + 1, color.good, [], false);
  }
}
function drawStart(pen, lane, thread) {
  const x = xOf(lane.begin) + view.scale / 2;
  if (lane.starter === null || x < gutter || x > view.width || view.scale < 3) return;
  const down = thread > lane.starter;
  arrow(pen, x, yOf(lane.starter) + (down ? view.lane - 7 : 5), yOf(thread) + view.lane / 2 - 1, color.thread, [3, 3], true);
}

function drawAxis(pen) {
  pen.fillStyle = color.panel; pen.fillRect(0, 0, view.width, axis);
  write(pen, 'step', gutter - 34, 14, 30, color.faint, '11px ' + sans);
  write(pen, 'time', gutter - 34, 31, 30, color.faint, '11px ' + sans);
  const every = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 50000].find(size => size * view.scale >= 46) || 100000;
  for (let step = Math.ceil((Math.max(first, view.left) - .5) / every) * every; step <= Math.min(last, stepAt(view.width)); step += every) {
    pen.textAlign = 'center';
    write(pen, String(step), xOf(step) + view.scale / 2, 14, 60, color.faint, '11px ' + sans);
    pen.textAlign = 'left';
    line(pen, xOf(step) + view.scale / 2, 18, xOf(step) + view.scale / 2, 21, color.line);
  }
  let free = gutter - 30;
  const [from, to] = visible();
  for (let i = from; i < to; ++i) {
    const passes = i > 0 && boxes[i].time !== boxes[i - 1].time, x = Math.max(xOf(boxes[i].step), gutter);
    if (!passes && i > from && i > 0) continue;
    if (passes && x > gutter && view.scale > 1.5) line(pen, x, 22, x, view.height, color.faint, 1, [2, 3]);
    if (x < free) continue;
    const text = timeText(boxes[i].time);
    write(pen, text, x + 3, 32, 110, color.ink, (passes ? '600 ' : '') + '11px ' + sans);
    free = x + pen.measureText(text).width + 14;
  }
  line(pen, 0, axis - .5, view.width, axis - .5, color.line);
}

function drawLanes(pen) {
  lanes.forEach((lane, thread) => {
    const y = yOf(thread);
    if (y > view.height || y + view.lane < axis) return;
    if (thread % 2 === 0) { pen.fillStyle = color.lane; pen.fillRect(0, y, view.width, view.lane); }
    const stop = lane.end === null ? failed ? end : last + 1 : lane.end + 1;
    line(pen, Math.max(gutter, xOf(lane.begin) + view.scale / 2), y + view.lane / 2 - 1, xOf(stop), y + view.lane / 2 - 1, color.line, 1.5);
    if (lane.end !== null && view.scale > 10) line(pen, xOf(stop) + 1, y + view.lane / 2 - 9, xOf(stop) + 1, y + view.lane / 2 + 7, color.faint, 2.5);
  });
}
function drawLabels(pen) {
  pen.fillStyle = color.panel; pen.fillRect(0, axis, gutter, view.height - axis);
  lanes.forEach((lane, thread) => {
    const y = yOf(thread);
    if (y > view.height || y + view.lane < axis) return;
    if (thread % 2 === 0) { pen.fillStyle = color.lane; pen.fillRect(0, y, gutter, view.lane); }
    const [what, by] = lane.started.replace('started at ', '').split(' by '), tall = view.lane > 46;
    write(pen, lane.name, 16, y + view.lane / 2 - (tall ? 10 : 2), gutter - 24, color.ink, '650 13px ' + sans);
    pen.font = '11px ' + sans;
    write(pen, fittedPlace(pen, what, gutter - 24), 16, y + view.lane / 2 + (tall ? 5 : 12), gutter - 24, color.faint, pen.font);
    if (tall && by) write(pen, 'started by ' + by, 16, y + view.lane / 2 + 19, gutter - 24, color.faint, '11px ' + sans);
  });
  pen.fillStyle = color.panel; pen.fillRect(0, 0, gutter - 36, axis);
  line(pen, gutter - .5, 0, gutter - .5, view.height, color.line);
}
// The thread of control: which thread's turn it becomes.
function drawSwitches(pen, from, to) {
  if (view.scale < 5) return;
  for (let i = Math.max(1, from); i < to; ++i) {
    const box = boxes[i], before = boxes[i - 1];
    if (box.thread === before.thread) continue;
    const x = xOf(box.step), down = box.thread > before.thread, preempts = box.preempted !== null;
    line(pen, x, yOf(before.thread) + (down ? view.lane - 18 : 18), x, yOf(box.thread) + (down ? 5 : view.lane - 7),
      preempts ? color.preempt : color.line, preempts ? 2 : 1.2, preempts ? [5, 3] : []);
  }
}
function drawEnd(pen) {
  if (!failed) return;
  const x = xOf(end);
  if (x > view.width || x < gutter) return;
  const middle = axis / 2;
  line(pen, x, 6, x, view.height, color.fault, 3);
  pen.font = '700 12px ' + sans;
  const width = pen.measureText('\u2716 FAILED').width + 12, left = Math.min(x - 1.5, view.width - width - 2);
  pen.fillStyle = color.fault; pen.fillRect(left, middle - 12, width, 22);
  write(pen, '\u2716 FAILED', left + 6, middle + 4, 200, color.on, '700 12px ' + sans);
}
function drawChart() {
  const pen = paper(chart);
  const [from, to] = visible();
  drawLanes(pen);
  for (const pause of pauses) drawPause(pen, pause);
  drawSwitches(pen, from, to);
  for (let i = from; i < to; ++i) drawBox(pen, boxes[i]);
  lanes.forEach((lane, thread) => drawStart(pen, lane, thread));
  for (const pause of pauses) drawWake(pen, pause);
  drawAxis(pen); drawEnd(pen); drawLabels(pen);
  write(pen, 'step', gutter - 34, 14, 30, color.faint, '11px ' + sans);
  write(pen, 'time', gutter - 34, 31, 30, color.faint, '11px ' + sans);
}
function drawMap() {
  const pen = paper(map), width = map.clientWidth, height = map.clientHeight;
  const x = step => gutter + (step - first) / span() * (width - gutter - 8), each = Math.max(1, (width - gutter - 8) / span());
  const row = Math.min(12, (height - 10) / lanes.length), top = (height - row * lanes.length) / 2;
  write(pen, 'the whole run', 16, height / 2 + 4, gutter - 20, color.faint, '11px ' + sans);
  for (const box of boxes) {
    if (box.injected) continue;
    pen.globalAlpha = isDim(box) ? .15 : 1;
    pen.fillStyle = color[box.kind];
    pen.fillRect(x(box.step), top + box.thread * row, each, Math.max(row - 1, 1));
  }
  pen.globalAlpha = 1;
  for (const box of faults) { pen.fillStyle = color.fault; pen.fillRect(x(box.step), 3, Math.max(2, each), height - 6); }
  if (failed) { pen.fillStyle = color.fault; pen.fillRect(x(end), 0, 3, height); }
  if (pick) { pen.fillStyle = color.pick; pen.fillRect(x(pick.step), 0, 2, height); }
  const left = x(Math.max(first, view.left)), right = x(Math.min(first + span(), view.left + inner() / view.scale));
  pen.strokeStyle = color.ink; pen.lineWidth = 1.5; pen.strokeRect(left, 1, right - left, height - 2);
  pen.fillStyle = color.ink; pen.globalAlpha = .06; pen.fillRect(left, 1, right - left, height - 2); pen.globalAlpha = 1;
}
let asked = false;
function redraw() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => { asked = false; clampView(); drawChart(); drawMap(); });
}
)js";

}  // namespace acairo::simulator::timeline
