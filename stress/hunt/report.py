"""What a hunt leaves: a page to look at, JUnit XML and SARIF for machines."""
import html
import json
import subprocess
import time
import xml.etree.ElementTree as xml

STYLE = '''
:root { --ink: #1d2530; --soft: #5b6675; --line: #d9dee6; --good: #1c7c4a; --bad: #b3261e; --page: #fbfcfe; --card: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9f0; --soft: #9aa6b6; --line: #333c49; --good: #5cc98d; --bad: #ff8a80;
  --page: #14181e; --card: #1b2129; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); margin: 2.5rem auto; max-width: 70rem;
  padding: 0 1.5rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem; }
.verdict { font-size: 1.1rem; margin: .3rem 0 1.5rem; } .good { color: var(--good); } .bad { color: var(--bad); }
table { border-collapse: collapse; width: 100%; background: var(--card); }
th, td { text-align: left; padding: .3rem .7rem; border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums; }
th { color: var(--soft); font-weight: 600; } td.n, th.n { text-align: right; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .8rem 1rem; overflow-x: auto; font-size: 13px; }
.finding { border-left: 4px solid var(--bad); padding-left: 1rem; margin: 1.2rem 0; }
svg { background: var(--card); border: 1px solid var(--line); border-radius: 6px; width: 100%; height: auto; }
svg text { fill: var(--soft); font-size: 11px; } a { color: inherit; }
'''


def write(root, place, summary):
    for finding in summary.findings:
        if finding.token:
            subprocess.run([root / 'ci/repro', finding.token, '--timeline', place / 'findings' / f'{finding.key()}.html'], cwd=root,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    (place / 'index.html').write_text(page(place, summary))
    junit(summary).write(place / 'junit.xml', encoding='unicode', xml_declaration=True)
    (place / 'findings.sarif').write_text(json.dumps(sarif(summary), indent=1) + '\n')


def page(place, summary):
    colour = 'bad' if summary.findings else 'good'
    parts = [f'<!doctype html><html lang="en"><meta charset="utf-8"><title>acairo: hunt</title><style>{STYLE}</style>',
             '<h1>Hunt</h1>', f'<p class="verdict {colour}">{html.escape(summary.sentence())}</p>',
             f'<p>{time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())}; built in {summary.built:.0f} s</p>']
    if summary.findings:
        parts.append('<h2>Found</h2>')
    for finding in summary.findings:
        timeline = place / 'findings' / f'{finding.key()}.html'
        picture = f' · <a href="findings/{finding.key()}.html">timeline</a>' if timeline.exists() else ''
        parts.append(f'<div class="finding"><b>{html.escape(finding.title)}</b><br>by {html.escape(finding.by)} after '
                     f'{finding.at:.1f} s{picture}<pre>{html.escape(finding.text)}</pre></div>')
    parts += ['<h2>What ran</h2>', programs_table(summary)]
    curves = [p for p in summary.programs if len(p.growth) > 1]
    if curves:
        parts += ['<h2>Growth: features that the fuzz targets have reached</h2>', chart(curves, summary.seconds)]
    tests = sorted({name for program in summary.programs for name in program.tests})
    if tests:
        parts += ['<h2>Runs of each property</h2>', tests_table(summary, tests)]
    return '\n'.join(parts) + '</html>\n'


def programs_table(summary):
    rows = ['<table><tr><th>program<th class="n">seconds<th class="n">runs<th class="n">a second<th class="n">features<th>ended']
    for p in summary.programs:
        ended = 'not begun' if p.status is None else 'found' if p.status == 1 or (p.fuzzes and p.status) else \
            'as it should' if p.status == 0 else f'with {p.status}'
        features = f'{p.growth[-1][1]:,}' if p.growth else ''
        rows.append(f'<tr><td>{html.escape(p.name)}<td class="n">{p.seconds:.1f}<td class="n">{p.runs:,}'
                    f'<td class="n">{p.runs / max(p.seconds, .1):,.0f}<td class="n">{features}<td>{ended}')
    return '\n'.join(rows) + '</table>'


def tests_table(summary, tests):
    columns = [p for p in summary.programs if p.tests]
    rows = ['<table><tr><th>property' + ''.join(f'<th class="n">{html.escape(p.name)}' for p in columns)]
    for test in tests:
        cells = ''.join(f'<td class="n">{p.tests[test]:,}' if test in p.tests else '<td class="n">' for p in columns)
        rows.append(f'<tr><td>{html.escape(test)}{cells}')
    return '\n'.join(rows) + '</table>'


def chart(programs, seconds):
    """One line a target: its features, as a part of its own last, over the time that it ran."""
    width, height, left, right = 960, 260, 46, 190
    colours = ['#2f6fde', '#c2571a', '#1c8a5b', '#9146c9', '#b0312f', '#60708a', '#a38300', '#0e8fa8', '#d0417e', '#5b7f1d',
               '#7a5a3c', '#4453b8']
    longest = max(p.growth[-1][0] - p.growth[0][0] for p in programs) or 1
    out = [f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="growth of features">']
    for percent in (0, 50, 100):
        y = 15 + (height - 45) * (1 - percent / 100)
        out.append(f'<line x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}" stroke="var(--line)"/>'
                   f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{percent} %</text>')
    for number, p in enumerate(programs):
        first, top, colour = p.growth[0][0], p.growth[-1][1] or 1, colours[number % len(colours)]
        points = ' '.join(f'{left + (width - left - right) * (at - first) / longest:.1f},'
                          f'{15 + (height - 45) * (1 - features / top):.1f}' for at, features in p.growth)
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        y = 22 + number * 18
        out.append(f'<text x="{width - right + 12}" y="{y}" style="fill:{colour}">{html.escape(p.fuzzes)} {top:,}</text>')
    out.append(f'<text x="{width - right}" y="{height - 8}" text-anchor="end">{longest:.0f} s</text></svg>')
    return '\n'.join(out)


def junit(summary):
    suites = xml.Element('testsuites', name='hunt')
    for p in summary.programs:
        failures = [f for f in summary.findings if f.by == p.name]
        names = sorted({*p.tests, *([p.fuzzes] if p.fuzzes else []), *(f.test() for f in failures)})
        suite = xml.SubElement(suites, 'testsuite', name=p.name, tests=str(len(names)), failures=str(len(failures)),
                               time=f'{p.seconds:.1f}')
        for name in names:
            case = xml.SubElement(suite, 'testcase', classname=p.name, name=name)
            for failure in (f for f in failures if f.test() == name):
                xml.SubElement(case, 'failure', message=failure.kind()).text = failure.text
    return xml.ElementTree(suites)


def sarif(summary):
    """One rule for each oracle: what kind of failure it reports."""
    rules = sorted({f.kind() for f in summary.findings})
    results = []
    for finding in summary.findings:
        location = {'artifactLocation': {'uri': f'property/properties/{finding.test()}.cpp'}}
        results.append({'ruleId': finding.kind(), 'level': 'error', 'message': {'text': finding.text},
                        'locations': [{'physicalLocation': {**location, 'region': {'startLine': 1}}}],
                        'partialFingerprints': {'title': finding.key()}})
    return {'$schema': 'https://json.schemastore.org/sarif-2.1.0.json', 'version': '2.1.0',
            'runs': [{'tool': {'driver': {'name': 'acairo hunt', 'rules': [{'id': rule} for rule in rules]}},
                      'results': results}]}
