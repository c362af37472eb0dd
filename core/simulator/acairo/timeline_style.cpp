// The page of a timeline: its look, and what stands in it before its script runs.
#include <acairo/timeline_model.hpp>

namespace acairo::simulator::timeline {

const std::string_view page_style = R"css(
:root { color-scheme: light dark;
  --page: #fbfbfa; --panel: #ffffff; --lane: #f3f3f1; --ink: #1d2126; --faint: #6a717a; --line: #d9dbde; --wait: #cfd8e3;
  --mutex: #2f6fd0; --condition: #8250c8; --atomic: #0f8a86; --thread: #68727e; --call: #3c8232; --other: #8a8f96;
  --fault: #cf1f2e; --preempt: #c96a00; --found: #e0b400; --pick: #1d2126; --good: #2b7d2f; --on: #ffffff; }
@media (prefers-color-scheme: dark) { :root {
  --page: #14171b; --panel: #1b1f24; --lane: #20252b; --ink: #e6e8ea; --faint: #98a1ab; --line: #363c44; --wait: #3a4654;
  --mutex: #6ea8ff; --condition: #bd93f9; --atomic: #45c8c2; --thread: #a3adb8; --call: #7cc66c; --other: #8f979f;
  --fault: #ff5a66; --preempt: #ffa640; --found: #ffd84d; --pick: #ffffff; --good: #6bcb77; --on: #14171b; } }
* { box-sizing: border-box; }
html, body { height: 100%; margin: 0; }
body { display: flex; flex-direction: column; background: var(--page); color: var(--ink); overflow: hidden;
  font: 13px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
code, .mono, #rows { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
header { padding: 12px 16px 8px; border-bottom: 1px solid var(--line); background: var(--panel); }
.badge { padding: 2px 10px; border-radius: 4px; color: var(--on); font-weight: 700; text-transform: uppercase;
  letter-spacing: .04em; font-size: 12px; }
.failed .badge { background: var(--fault); } .passed .badge { background: var(--good); }
.line { display: flex; gap: 12px; align-items: center; flex-wrap: wrap; }
h1 { font-size: 16px; margin: 0; font-weight: 650; } #facts { color: var(--faint); margin-left: auto; }
#headline { font-size: 15px; margin: 6px 0; font-weight: 550; overflow-wrap: anywhere; max-height: 4.4em; overflow: auto; }
.failed #headline { color: var(--fault); }
#command { flex: 1; min-width: 0; padding: 4px 8px; border: 1px solid var(--line); border-radius: 4px; background: var(--lane);
  overflow: hidden; white-space: nowrap; text-overflow: ellipsis; user-select: all; font-size: 12px; }
button { font: inherit; color: inherit; background: var(--lane); border: 1px solid var(--line); border-radius: 4px;
  padding: 2px 9px; cursor: pointer; white-space: nowrap; }
button:hover { border-color: var(--faint); } button:disabled { opacity: .45; cursor: default; } button.fault { color: var(--fault); font-weight: 600; }
button.preempt { color: var(--preempt); font-weight: 600; } button[aria-pressed="true"] { background: var(--ink); color: var(--page); }
:focus-visible { outline: 2px solid var(--mutex); outline-offset: 1px; }
#report { display: none; margin: 8px 0 0; padding: 8px; max-height: 40vh; overflow: auto; background: var(--lane); font-size: 12px;
  border-radius: 4px; } #report.open { display: block; }
#bar { display: flex; gap: 8px; align-items: center; padding: 6px 16px; flex-wrap: wrap; }
#find { font: inherit; width: 19em; max-width: 40vw; padding: 3px 8px; border: 1px solid var(--line); border-radius: 4px;
  background: var(--panel); color: var(--ink); } #found { color: var(--faint); } #found:empty { display: none; }
#legend { display: flex; gap: 4px 14px; flex-wrap: wrap; margin-left: auto; color: var(--faint); font-size: 12px; align-items: center; }
#legend span { display: inline-flex; align-items: center; gap: 5px; } #legend canvas { width: 22px; height: 14px; }
#map, #chart { display: block; width: 100%; border-top: 1px solid var(--line); touch-action: none; cursor: grab; }
#map { height: 46px; cursor: crosshair; } #chart { background: var(--panel); } #chart:active { cursor: grabbing; }
#split { height: 7px; flex: none; cursor: ns-resize; background: var(--lane); border-block: 1px solid var(--line); }
main { flex: 1; min-height: 0; display: flex; }
#list { flex: 1; min-width: 0; display: flex; flex-direction: column; }
#rows { flex: 1; overflow: auto; position: relative; font-size: 12px; outline-offset: -2px; }
.row { position: absolute; left: 0; right: 0; height: 22px; line-height: 22px; padding: 0 16px; white-space: pre; cursor: pointer;
  display: grid; grid-template-columns: 4em 6.5em 6em minmax(15em, 4fr) minmax(8em, 3fr) minmax(12em, 3fr); gap: 10px; }
.row > * { overflow: hidden; text-overflow: ellipsis; } .row.head { position: static; flex: none; color: var(--faint);
  border-bottom: 1px solid var(--line); cursor: default; font-family: inherit; font-size: 12px; }
.row:not(.head):hover { background: var(--lane); } .row.pick { background: var(--lane); box-shadow: inset 4px 0 var(--pick); }
.row.dim { opacity: .35; } .row .step { text-align: right; color: var(--faint); } .row .time, .row .source { color: var(--faint); }
.row .note { color: var(--faint); } .row.fault .what, .row.fault .note { color: var(--fault); font-weight: 700; }
.row.end, .row.end * { color: var(--fault); font-weight: 700; } .row.preempt:not(.fault) .note { color: var(--preempt); }
#side { width: 31%; min-width: 260px; border-left: 1px solid var(--line); padding: 8px 14px; overflow: auto; background: var(--panel); }
#side h2 { font-size: 14px; margin: 2px 0 6px; } dl { display: grid; grid-template-columns: auto 1fr; gap: 2px 12px; margin: 0; }
dt { color: var(--faint); } dd { margin: 0; overflow-wrap: anywhere; } dd.fault { color: var(--fault); font-weight: 700; }
dd.preempt { color: var(--preempt); font-weight: 600; } .hint { color: var(--faint); }
kbd { font: 11px ui-monospace, "DejaVu Sans Mono", monospace; border: 1px solid var(--line); border-radius: 3px; padding: 0 4px; background: var(--lane); }
#tip { position: fixed; display: none; pointer-events: none; z-index: 9; max-width: 420px; padding: 7px 10px; background: var(--panel);
  border: 1px solid var(--faint); border-radius: 5px; box-shadow: 0 3px 14px #0005; font-size: 12px; }
)css";

// The policy is what keeps the page from fetching anything, whatever is in it.
const std::string_view page_frame = R"html(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>{{PROPERTY}}: {{BADGE}}</title>
<style>{{STYLE}}</style>
</head>
<body class="{{CLASS}}">
<header>
  <div class="line"><span class="badge">{{BADGE}}</span><h1 class="mono">{{PROPERTY}}</h1><span id="facts"></span></div>
  <div id="headline">{{HEADLINE}}</div>
  <div class="line"><code id="command" title="Runs it again">{{COMMAND}}</code><button id="copy">Copy</button>
    <button id="more" aria-pressed="false">Full report</button></div>
  <pre id="report">{{REPORT}}</pre>
</header>
<div id="bar">
  <input id="find" type="search" placeholder="Find: mutex 7, fd 4, recv, a.cpp:12" title="(/)" aria-label="Find" spellcheck="false">
  <span id="found"></span>
  <button id="fit" title="The whole run (f)">Whole run</button><button id="in" title="Closer (+)">+</button><button id="out" title="Further (-)">&minus;</button>
  <button id="faults" class="fault" title="The next injected fault (i)"></button>
  <button id="preemptions" class="preempt" title="The next preemption (p)"></button>
  <button id="calls" aria-pressed="false" title="Only system calls in the list (c)">Calls only</button>
  <div id="legend"></div>
</div>
<canvas id="map" aria-label="The whole run, and the part of it that is shown"></canvas>
<canvas id="chart" tabindex="0" aria-label="The timeline: one lane for each thread. The list below says the same."></canvas>
<div id="split"></div>
<main><div id="list"><div class="row head"><span class="step">step</span><span>time</span><span>thread</span><span>what</span><span>note</span><span>source</span></div>
  <div id="rows" tabindex="0"></div></div><aside id="side"></aside></main>
<div id="tip"></div>
<noscript>The picture needs a script; the same run is in the file beside this one, for Perfetto.</noscript>
<script type="application/json" id="run">{{DATA}}</script>
<script>{{SCRIPT}}</script>
</body>
</html>
)html";

}  // namespace acairo::simulator::timeline
