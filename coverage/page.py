"""What a measurement leaves: lines of text, a tracefile for genhtml, and a page that tells what lcov cannot."""
import html
import subprocess
import time

import rules
import work

STYLE = '''
:root { --ink: #1d2530; --soft: #5b6675; --line: #d9dee6; --bad: #b3261e; --page: #fbfcfe; --card: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9f0; --soft: #9aa6b6; --line: #333c49; --bad: #ff8a80; --page: #14181e;
  --card: #1b2129; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); margin: 2.5rem auto; max-width: 70rem;
  padding: 0 1.5rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem; } .bad { color: var(--bad); }
table { border-collapse: collapse; width: 100%; background: var(--card); }
th, td { text-align: left; padding: .3rem .7rem; border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums; }
th { color: var(--soft); font-weight: 600; } td.n, th.n { text-align: right; } a { color: inherit; } code { font-size: 13px; }
'''


def percent(value):
    return '-' if value is None else f'{value:.1f}'


def table(rooms, files):
    """A line for each file, and one for each room: `files` are the percentages by file, by room; `rooms` those of all its files."""
    lines = [f'{"lines":>7} {"funct.":>7} {"branch.":>7} {"MC/DC":>7}']

    def add(percents, name):
        lines.append(' '.join(f'{percent(p):>7}' for p in percents) + f'  {name}')

    for room, percents in rooms.items():
        for name, its in files[room].items():
            add(its, name)
        add(percents, f'all of {room}')
    return '\n'.join(lines)


def sentence(rooms):
    """The last line of ci/coverage."""
    return '; '.join(f'{room}: ' + ', '.join(f'{percent(p)} % of {kind}' for kind, p in zip(rules.KINDS, percents))
                     for room, percents in rooms.items())


def reach_of(items, by_group):
    """(group, what it reaches, what nobody else reaches as items) of each group; of `items` what is reached at all."""
    keys = {(i.file, i.position, i.kind): i for i in items if i.reached}
    for group, reached in by_group.items():
        others = set().union(*(those for name, those in by_group.items() if name != group))
        yield group, [keys[k] for k in reached if k in keys], [keys[k] for k in sorted(reached - others) if k in keys]


def readable(files):
    """The names of all functions as C++ has them; commas would end a field of lcov's."""
    mangled = [function for file in files.values() for function, _ in file.functions.values()]
    said = subprocess.run(['llvm-cxxfilt-19', *(name.rpartition(':')[2] for name in mangled)], capture_output=True, text=True, check=True)
    return {name: text.replace(',', ';') for name, text in zip(mangled, said.stdout.split('\n'))}


def tracefile(files, root):
    """lcov's format, of what was joined."""
    out, names = [], readable(files)
    for name, file in files.items():
        out += ['TN:', f'SF:{root / name}']
        functions = [(f'{names[function]} {line}:{column}', line, count) for (line, column, *_), (function, count) in file.functions.items()]
        out += [f'FN:{line},{function}' for function, line, _ in functions]
        out += [f'FNDA:{count},{function}' for function, _, count in functions]
        reached = sum(count > 0 for _, count in file.functions.values())
        out += [f'FNF:{len(file.functions)}', f'FNH:{reached}']
        taken = 0
        for block, (position, counts) in enumerate(sorted(file.branches.items())):
            for way, count in enumerate(counts):
                out.append(f'BRDA:{position[0]},{block},{way},{count if any(counts) else "-"}')
                taken += count > 0
        out += [f'BRF:{2 * len(file.branches)}', f'BRH:{taken}']
        out += [f'DA:{line},{count}' for line, count in sorted(file.lines.items())]
        out += [f'LF:{len(file.lines)}', f'LH:{sum(c > 0 for c in file.lines.values())}', 'end_of_record']
    return '\n'.join(out) + '\n'


def write_html(root, place, files, summary):
    """The page, and genhtml's pages of the sources beside it."""
    trace = place / 'coverage.info'
    trace.write_text(tracefile(files, root))
    work.check(['genhtml', '--quiet', '--branch-coverage', '--legend', '--title', 'acairo', '--prefix', root, '--output-directory',
                place / 'html', trace], stdout=subprocess.DEVNULL)
    (place / 'index.html').write_text(page(summary))


def link(item_file, line=None):
    return f'<a href="html/{item_file}.gcov.html{f"#{line}" if line else ""}">{html.escape(item_file)}{f":{line}" if line else ""}</a>'


def page(summary):
    numbers = ''.join(f'<th class="n">{kind}' for kind in rules.KINDS)
    parts = [f'<!doctype html><html lang="en"><meta charset="utf-8"><title>acairo: coverage</title><style>{STYLE}</style>',
             '<h1>Coverage</h1>', f'<p>{html.escape(sentence(summary.rooms))}; {time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}</p>',
             '<p><a href="html/index.html">the sources, line by line</a></p>']
    for room, files in summary.files.items():
        parts.append(f'<h2>{room}</h2><table><tr><th>file{numbers}')
        for name, percents in [*files.items(), ('all', summary.rooms[room])]:
            parts.append(f'<tr><td>{link(name) if name in files else name}' + ''.join(f'<td class="n">{percent(p)}' for p in percents))
        parts.append('</table>')
    parts.append('<h2>By whom it is reached</h2><table><tr><th>group<th class="n">reaches<th class="n">alone<th>what only it reaches')
    for group, reached, alone in summary.groups:
        shown = '<br>'.join(f'{link(i.file, i.position[0])} {html.escape(i.kind)} <code>{html.escape(i.text or i.line)}</code>'
                            for i in alone[:200])
        parts.append(f'<tr><td>{group}: {html.escape(work.GROUPS[group])}<td class="n">{len(reached):,}<td class="n">{len(alone):,}<td>'
                     f'<details><summary>show</summary>{shown}</details>')
    parts.append('</table>')
    for title, items in (('Not reached', summary.missing), ('Excused by coverage/unreached.txt', summary.excused)):
        parts.append(f'<h2>{title}: {len(items)}</h2><table>')
        parts += [f'<tr><td>{link(i.file, i.position[0])}<td>{html.escape(i.name())}<td><code>{html.escape(i.line)}</code>' for i in items]
        parts.append('</table>')
    return '\n'.join(parts) + '</html>\n'
