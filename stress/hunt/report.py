"""What people look at after a hunt: one page, with what was found first, then how the hunt has grown, then what ran."""
import html
import os
import subprocess
import time

from programs import environment_of
from running import preset_of, tool_of
from summary import tests_of

STYLE = '''
:root { --ink: #1d2530; --soft: #5b6675; --line: #e1e5ec; --good: #1c7c4a; --bad: #b3261e; --page: #f6f7fa; --card: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9f0; --soft: #9aa6b6; --line: #2c3541; --good: #5cc98d; --bad: #ff8a80;
  --page: #12161b; --card: #1b2129; } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); margin: 2.5rem auto; max-width: 72rem; padding: 0 1.5rem; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2.4rem 0 .6rem; } .soft { color: var(--soft); }
.verdict { font-size: 1.15rem; margin: .2rem 0; } .good { color: var(--good); } .bad { color: var(--bad); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .8rem; margin: 1.4rem 0; }
.tiles div, .card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .7rem 1rem; }
.tiles b { display: block; font-size: 1.5rem; font-weight: 600; font-variant-numeric: tabular-nums; } .tiles span { color: var(--soft); font-size: 13px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(28rem, 1fr)); gap: .8rem; }
.charts h2 { margin-top: .4rem; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .28rem .7rem; border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums; }
tr:last-child td { border-bottom: 0; } th { color: var(--soft); font-weight: 600; font-size: 13px; } td.n, th.n { text-align: right; }
td small { color: var(--soft); }
pre { border: 1px solid var(--line); border-radius: 6px; padding: .7rem 1rem; overflow-x: auto; font-size: 12.5px; line-height: 1.45; margin: .6rem 0; }
pre.command { user-select: all; background: var(--page); white-space: pre-wrap; word-break: break-all; }
.finding { border-left: 5px solid var(--bad); margin: .8rem 0; } .finding b { font-size: 1.05rem; }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--soft); font-size: 12px; } a { color: inherit; }
'''
COLOURS = ['#2f6fde', '#c2571a', '#1c8a5b', '#9146c9', '#b0312f', '#60708a', '#a38300', '#0e8fa8', '#d0417e', '#5b7f1d', '#8a6a4c',
           '#5a6be0', '#2aa198']


def write(root, place, summary):
    for finding in summary.findings:
        if finding.token:
            subprocess.run([*tool_of(root, finding.token), 'repro', finding.token, '--timeline', place / 'findings' / f'{finding.key}.html'],
                           cwd=root, env={**os.environ, **environment_of(root, preset_of(finding.token))},
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    (place / 'index.html').write_text(page(root, place, summary))


def page(root, place, summary):
    parts = ['<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
             f'<title>acairo: hunt</title><style>{STYLE}</style>', '<h1>Hunt</h1>',
             f'<p class="verdict {"bad" if summary.findings else "good"}">{html.escape(summary.sentence())}</p>',
             f'<p class="soft">{time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}; built in {summary.built:.0f} s; for machines: '
             '<a href="junit.xml">JUnit XML</a>, <a href="findings.sarif">SARIF</a>, <a href="hunt.json">figures</a></p>', tiles(summary)]
    if summary.findings:
        parts.append('<h2>Found</h2>')
    for finding in summary.findings:
        parts.append(card(root, place, finding))
    curves = [('interleavings, by the time', [(p.name, p.orders) for p in summary.programs if len(p.orders) > 1], False),
              ('features that each fuzz target reaches, of its last', [(p.fuzzes, p.growth) for p in summary.programs if len(p.growth) > 1], True)]
    if any(lines for _, lines, _ in curves):
        parts.append('<h2>Growth</h2><div class="charts">')
        parts += [f'<div class="card"><h2>{html.escape(title)}</h2>{chart(lines, relative)}</div>' for title, lines, relative in curves if lines]
        parts.append('</div>')
    parts += ['<h2>What ran</h2>', programs_table(summary)]
    if summary.properties:
        parts += ['<h2>Runs of each property, and how many of them were new interleavings</h2>',
                  tests_table('property', summary.properties, [p for p in summary.programs if p.tests and not p.load])]
    if scenarios := tests_of(summary.programs, True):
        parts += ['<h2>Rounds of each scenario of load</h2>', tests_table('scenario', scenarios, [p for p in summary.programs if p.tests and p.load])]
    if len(summary.history) > 1:
        parts += ['<h2>The last hunts here</h2>', history_table(summary.history)]
    return '\n'.join(parts) + '</html>\n'


def tiles(summary):
    figures = [('runs', f'{summary.runs:,}'), ('a second', f'{summary.runs / max(summary.seconds, .1):,.0f}'),
               ('properties', len(summary.properties)), ('interleavings', f'{summary.interleavings:,}'),
               (f'features, of {summary.targets} fuzz targets', f'{summary.features:,}'), ('found', len(summary.findings))]
    return '<div class="tiles">' + ''.join(f'<div><b>{value}</b><span>{name}</span></div>' for name, value in figures) + '</div>'


def card(root, place, finding):
    path, line = finding.place(root)
    timeline = place / 'findings' / f'{finding.key}.html'
    picture = f' · <a href="findings/{finding.key}.html">timeline</a>' if timeline.exists() else ''
    story = '\n'.join(text for text in finding.text.splitlines()[1:] if not text.startswith('  ci/repro '))
    return (f'<div class="card finding"><b>{html.escape(finding.title)}</b><br><span class="soft">{html.escape(path)}:{line} · '
            f'{finding.rule} · by {html.escape(finding.by)} after {finding.at:.1f} s{picture}</span>'
            f'<pre class="command">{html.escape(finding.command)}</pre><pre>{html.escape(story)}</pre></div>')


def programs_table(summary):
    rows = ['<div class="card"><table><tr><th>program<th class="n">seconds<th class="n">runs<th class="n">a second'
            '<th class="n">interleavings<th class="n">features<th>ended']
    for p in summary.programs:
        ended = 'not begun' if p.status is None else '<span class="bad">found</span>' if p.status == 1 or p.found else \
            'as it should' if p.status == 0 else f'<span class="bad">with {p.status}</span>'
        rows.append(f'<tr><td>{html.escape(p.name)}<td class="n">{p.seconds:.1f}<td class="n">{p.runs:,}'
                    f'<td class="n">{p.runs / max(p.seconds, .1):,.0f}<td class="n">{f"{p.interleavings:,}" if p.orders else ""}'
                    f'<td class="n">{f"{p.growth[-1][1]:,}" if p.growth else ""}<td>{ended}')
    return '\n'.join(rows) + '</table></div>'


def tests_table(what, tests, columns):
    rows = [f'<div class="card"><table><tr><th>{what}' + ''.join(f'<th class="n">{html.escape(p.name)}' for p in columns)]
    for test in tests:
        cells = ''
        for runs, orders in (p.tests.get(test, (0, 0)) for p in columns):
            new = f' <small>{100 * orders / runs:.0f} %</small>' if runs and orders else ''
            cells += f'<td class="n">{runs:,}{new}' if runs else '<td class="n">'
        rows.append(f'<tr><td>{html.escape(test)}{cells}')
    return '\n'.join(rows) + '</table></div>'


def history_table(history):
    names = ('seconds', 'runs', 'interleavings', 'features', 'findings')
    rows = ['<div class="card"><table><tr>' + ''.join(f'<th class="n">{name}' for name in names)]
    rows += ['<tr>' + ''.join(f'<td class="n">{round(one[name]):,}' for name in names) for one in history[:-21:-1]]
    return '\n'.join(rows) + '</table></div>'


def chart(lines, relative):
    """`lines`: (name, [(seconds, value)]). Relative: each as a part of its own last value, over the time since it began."""
    lines = sorted(lines, key=lambda line: -line[1][-1][1])[:len(COLOURS)]
    width, left, right, bottom = 640, 52, 220, 24
    height = max(240, 30 + 17 * len(lines))
    starts = {name: points[0][0] if relative else 0 for name, points in lines}
    longest = max(points[-1][0] - starts[name] for name, points in lines) or 1
    top = 1 if relative else max(points[-1][1] for _, points in lines) or 1
    out = [f'<svg viewBox="0 0 {width} {height}" role="img">']
    for part in (0, 0.5, 1):
        y = 12 + (height - 12 - bottom) * (1 - part)
        label = f'{100 * part:.0f} %' if relative else short(top * part)
        out.append(f'<line x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}" stroke="var(--line)"/>'
                   f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    for number, (name, points) in enumerate(lines):
        scale = points[-1][1] or 1 if relative else top
        colour = COLOURS[number % len(COLOURS)]
        path = ' '.join(f'{left + (width - left - right) * (at - starts[name]) / longest:.1f},'
                        f'{12 + (height - 12 - bottom) * (1 - min(1, value / scale)):.1f}' for at, value in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
        out.append(f'<text x="{width - right + 10}" y="{18 + number * 17}" style="fill:{colour}">{html.escape(name)} {points[-1][1]:,}</text>')
    out.append(f'<text x="{width - right}" y="{height - 6}" text-anchor="end">{longest:.0f} s</text></svg>')
    return '\n'.join(out)


def short(value):
    return f'{value / 1e6:.1f} M' if value >= 1e6 else f'{value / 1e3:.0f} k' if value >= 1e4 else f'{value:.0f}'
