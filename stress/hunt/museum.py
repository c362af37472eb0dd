"""Whether a hunt finds each bug of the museum, and whether what it prints is worth something: ci/hunt --museum."""
import json
import os
import re
import subprocess
import sys
import time

import programs
from progress import Screen
from running import Hunt


class Quiet(Screen):
    def show(self, at, totals, last=False):
        pass

    def say(self, text):
        pass


def hunt(root, place, chosen):
    """0: each was found, by a token that fails each time; 1: not each."""
    _, bugs = programs.listed(root, planted=True)
    for name in chosen.only:
        if name not in bugs:
            raise programs.Refused(f'no bug of the museum is called "{name}": see stress/museum', 2)
    number, shards = chosen.shard
    bugs = [bug for bug in bugs if not chosen.only or bug in chosen.only][number - 1::shards]
    rows = []
    for index, bug in enumerate(bugs, 1):
        row = one(root, place / 'museum' / bug, bug, chosen)
        rows.append(row)
        print(f'[{index}/{len(bugs)}] {bug}: {row["told"]}', flush=True)
        write(place, rows)
    missed = [row for row in rows if not row['holds']]
    for row in missed:
        print(f'NOT SO: {row["bug"]}: {row["told"]}')
    print(f'{len(rows)} bugs: {len(rows) - len(missed)} are found within {chosen.seconds:g} s, by a token that fails 100 times of 100; '
          f'see {(place / "museum.md").relative_to(root)}')
    return 1 if missed else 0


def one(root, place, bug, chosen):
    place.mkdir(parents=True, exist_ok=True)
    for old in (place / 'findings').glob('*'):
        old.unlink()
    work = programs.plan(root, place, seed=chosen.seed or '1', plant=bug)
    search = Hunt(root, place, work, chosen.seconds, chosen.jobs, Quiet(chosen.seconds), first=True)
    begun = time.monotonic()
    search.run()
    row = {'bug': bug, 'seconds': round(time.monotonic() - begun, 1), 'load': round(os.getloadavg()[0]),
           'runs': sum(p.runs for p in work), 'holds': False}
    broken = [p for p in work if p.broken]
    if not search.findings:
        return {**row, 'told': f'not found in {row["runs"]:,} runs' + ''.join(f'; {p.name} ended with {p.status}' for p in broken)}
    finding = min(search.findings.values(), key=lambda f: f.at)
    row |= {'seconds': finding.at, 'by': finding.by, 'title': finding.title, 'token': finding.token}
    done = subprocess.run(['ci/repro', finding.token, '--times', '100'], cwd=root, capture_output=True, text=True, errors='replace',
                          stdin=subprocess.DEVNULL, env={**os.environ})
    counted = re.search(r'failed (\d+) times of 100', done.stdout)
    row['holds'] = done.returncode == 1 and counted is not None and counted[1] == '100' and finding.at <= chosen.seconds
    row['told'] = (f'{finding.title}, by {finding.by} after {finding.at:.1f} s with a load of {row["load"]}; '
                   + (f'failed {counted[1]} times of 100' if counted else f'ci/repro ended with {done.returncode}'))
    return row


def write(place, rows):
    (place / 'museum.json').write_text(json.dumps(rows, indent=1))
    lines = ['| bug | found as | by | after s | load | each time |', '|---|---|---|---:|---:|---|']
    for row in rows:
        lines.append(f'| {row["bug"]} | {row.get("title", "not found")} | {row.get("by", "")} | {row["seconds"]:.1f} | {row["load"]} | '
                     f'{"yes" if row["holds"] else "**no**"} |')
    (place / 'museum.md').write_text('\n'.join(lines) + '\n')


def main(root, place, chosen):
    programs.build(root, programs.needed(planted=True))
    status = hunt(root, place, chosen)
    if step := os.environ.get('GITHUB_STEP_SUMMARY'):
        with open(step, 'a') as file:
            file.write((place / 'museum.md').read_text())
    sys.stdout.flush()
    return status
