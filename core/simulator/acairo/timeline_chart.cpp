// The page's script, first part: what was recorded, where it is on the screen, and what can be found in it.
#include <acairo/timeline_model.hpp>

namespace acairo::simulator::timeline {

const std::string_view page_chart = R"js('use strict';
const run = JSON.parse(document.getElementById('run').textContent);
const $ = id => document.getElementById(id);
const T = run.texts;
const lanes = run.lanes.map(([name, started, starter, begin, end]) => ({name, started, starter, begin, end}));
const boxes = run.boxes.map(([step, time, thread, operation, object, source, value, candidates, preempted, fault, calls], index) => ({
  step, time, thread, operation: T[operation], object: T[object], source: T[source], value: T[value], candidates, preempted, fault: T[fault], index,
  calls: calls.map(([text, operation, result, source, injected]) => ({text: T[text], operation: T[operation], result: T[result],
    source: T[source], injected: !!injected})) }));
const pauses = run.pauses.map(([thread, operation, object, from, to, waker, by]) =>
  ({thread, operation: T[operation], object: T[object], from, to, waker, by}));
const first = boxes.length ? boxes[0].step : 0;
const last = boxes.length ? boxes[boxes.length - 1].step : 0;
const failed = !run.passed;

// --- what belongs together ---
const mine = lanes.map(() => []);  // of a thread
for (const box of boxes) {
  box.mine = mine[box.thread].length;
  mine[box.thread].push(box);
  box.injected = box.fault !== '' || box.calls.some(call => call.injected);
  const family = box.operation.split('.')[0];
  box.kind = box.injected ? 'fault' : ['mutex', 'condition', 'atomic', 'thread'].includes(family) ? family :
    box.calls.length || box.object ? 'call' : 'other';
}
function firstAtOrAfter(list, step) {
  let low = 0, high = list.length;
  while (low < high) { const middle = (low + high) >> 1; if (list[middle].step < step) low = middle + 1; else high = middle; }
  return low;
}
for (const pause of pauses) {
  const after = pause.to === null ? undefined : mine[pause.thread][firstAtOrAfter(mine[pause.thread], Math.max(pause.to, pause.from) + 1)];
  pause.resumes = after ? after.step : null;
  if (after) after.pause = pause;
}
for (const pause of pauses) {
  if (pause.to === null || pause.waker !== 'thread') continue;
  const by = boxes[firstAtOrAfter(boxes, pause.to)];
  if (by && by.step === pause.to) (by.wakes ||= []).push(pause.thread);
}
const laneName = thread => lanes[thread] ? lanes[thread].name : 'thread ' + thread;
const faults = boxes.filter(box => box.injected);
const preemptions = boxes.filter(box => box.preempted !== null);
const count = (number, one, many) => number + ' ' + (number === 1 ? one : many);

function timeText(nanoseconds) {
  const units = [[1e9, 's'], [1e6, 'ms'], [1e3, '\u00b5s'], [1, 'ns']];
  for (const [size, name] of units) if (Math.abs(nanoseconds) >= size) return '+' + +(nanoseconds / size).toFixed(3) + ' ' + name;
  return '0';
}
const verb = operation => operation.slice(operation.indexOf('.') + 1);
const shortVerb = box => verb(box.operation).replace('compare_exchange', 'cas').replace('_weak', ' weak');
const shortObject = box => box.object.replace('descriptor', 'fd');
const outcome = box => box.calls.length ? '= ' + box.calls[0].result : box.fault || box.value || (box.pause ? 'goes on' : '');
const waitOf = pause => [verb(pause.operation), pause.object].filter(text => text && text !== 'wait').join(' ');
const whatOf = box => box.calls.length ? box.calls.map(call => call.text).join('; ') :
  [verb(box.operation), box.object, outcome(box)].filter(text => text).join(' ');
const wokenBy = pause => pause.waker === 'thread' ? laneName(pause.by) : pause.waker === 'deadline' ? 'its deadline' : 'the network';
function storyOf(pause) {
  const end = pause.to === null ? 'and nothing woke it' : 'woken at step ' + pause.to + ' by ' + wokenBy(pause) +
    (pause.resumes === null ? '' : ', goes on at step ' + pause.resumes);
  return laneName(pause.thread) + ' waits: ' + waitOf(pause) + ', since step ' + pause.from + ', ' + end;
}
function notesOf(box) {
  const notes = [];
  if (box.injected) notes.push('\u26a1 injected');
  if (box.preempted !== null) notes.push((box.candidates > 1 ? '\u25bc preempts ' : '\u25bc its turn, before ') + laneName(box.preempted));
  if (box.pause) notes.push('woken by ' + wokenBy(box.pause));
  if (box.wakes) notes.push('\u2192 wakes ' + box.wakes.map(laneName).join(', '));
  return notes;
}
for (const box of boxes) {
  box.words = (whatOf(box) + ' | ' + box.operation + ' | ' + box.object + ' | ' + shortObject(box) + ' | ' + laneName(box.thread) + ' | ' +
    box.source + ' | ' + box.calls.map(call => call.source).join(' | ') + ' | ' + notesOf(box).join(' | ') + ' |').toLowerCase();
}

// --- what is seen ---
const gutter = 190, axis = 40;
const view = {scale: 70, left: first, top: 0, width: 1, height: 1, lane: 62};
let pick = null, hover = null, found = null;  // found: null, or the set of indices
// With room for the end, in which it is seen who still waits.
const end = last + 1 + (failed && pauses.some(pause => pause.to === null) ? 1.8 : .1);
const span = () => end - first + .9;
const inner = () => Math.max(50, view.width - gutter);
const xOf = step => gutter + (step - view.left) * view.scale;
const stepAt = x => view.left + (x - gutter) / view.scale;
const yOf = thread => axis + thread * view.lane - view.top;
const smallest = () => Math.min(150, inner() / span());
function clampView() {
  view.scale = Math.min(170, Math.max(smallest(), view.scale));
  view.left = Math.max(first - .3, Math.min(view.left, first + span() - inner() / view.scale));
  if (inner() / view.scale >= span()) view.left = first - .1;
  view.top = Math.max(0, Math.min(view.top, lanes.length * view.lane - (view.height - axis)));
}
function zoom(factor, x = gutter + inner() / 2) {
  const at = stepAt(x);
  view.scale = Math.min(170, Math.max(smallest(), view.scale * factor));
  view.left = at - (x - gutter) / view.scale;
  redraw();
}
function show(box) {
  if (view.scale < 24) view.scale = 70;
  const x = xOf(box.step);
  if (x < gutter + 40 || x > view.width - 140) view.left = box.step - inner() / view.scale / 2;
  const y = box.thread * view.lane;
  if (y < view.top) view.top = y;
  if (y + view.lane > view.top + view.height - axis) view.top = y + view.lane - (view.height - axis);
}
function select(box) {
  pick = box;
  if (box) {
    show(box);
    // A page without an address of its own has no place to remember it.
    try { history.replaceState(null, '', '#step=' + box.step); } catch {}
  }
  tellDetails();
  scrollToPick();
  redraw();
}
function search(text) {
  const wanted = text.trim().toLowerCase();
  // A name that ends in a number is all of it: "mutex 1" is not "mutex 12".
  const fits = /\d$/.test(wanted) ? box => new RegExp(wanted.replace(/[.*+?^${}()|[\]\\]/g, '\\$&') + '(?!\\d)').test(box.words) :
    box => box.words.includes(wanted);
  found = wanted ? new Set(boxes.filter(fits).map(box => box.index)) : null;
  $('found').textContent = found ? count(found.size, 'step', 'steps') : '';
  if (found && found.size && !(pick && found.has(pick.index))) show(boxes[[...found].find(i => boxes[i].step >= view.left) ?? [...found][0]]);
  fillRows();
  redraw();
}
function next(list, direction = 1) {
  if (!list.length) return;
  const at = pick ? pick.step : direction > 0 ? -1 : Infinity;
  select(direction > 0 ? list.find(box => box.step > at) || list[0] : list.findLast(box => box.step < at) || list[list.length - 1]);
}
)js";

}  // namespace acairo::simulator::timeline
