"""ci/hunt: builds, hunts, and writes the report."""
import argparse
import pathlib
import re
import signal
import sys
import time

import machines
import museum
import programs
import report
import summary as summaries
from progress import Screen
from running import Hunt

ROOT = pathlib.Path(__file__).resolve().parents[2]


def shard(text):
    found = re.fullmatch(r'(\d+)/(\d+)', text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise argparse.ArgumentTypeError(f'{text} is no shard: say I/N, with I from 1 to N')
    return int(found[1]), int(found[2])


def arguments():
    parser = argparse.ArgumentParser(prog='ci/hunt', add_help=False, allow_abbrev=False)
    parser.add_argument('--seconds', type=float, default=60)
    parser.add_argument('--runs', type=int, default=0)
    parser.add_argument('--only', action='append', default=[])
    parser.add_argument('--changed')
    parser.add_argument('--jobs', type=int, default=0)
    parser.add_argument('--seed')
    parser.add_argument('--first', action='store_true')
    parser.add_argument('--shard', type=shard, default=(1, 1))
    parser.add_argument('--prune', action='store_true')
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument('--plant', default='')
    kind.add_argument('--museum', action='store_true')
    kind.add_argument('--merge', nargs='+', default=[])
    chosen = parser.parse_args()
    if chosen.seconds <= 0:
        parser.error(f'--seconds is {chosen.seconds:g}: it must be positive')
    if chosen.runs < 0 or (chosen.runs and (chosen.plant or chosen.museum)):
        parser.error(f'--runs {chosen.runs}: it is a number of runs of the core as it is')
    return chosen


def hunt(chosen, place):
    begun = time.monotonic()
    if chosen.changed:
        names = programs.changed(ROOT, chosen.changed)
        if names == []:
            print(f'nothing that is hunted differs from {chosen.changed}: nothing found')
            return None
        chosen.only += names or []
    programs.build(ROOT, programs.needed(bool(chosen.plant), chosen.runs))
    if chosen.prune:
        programs.prune(ROOT, place)
    work = programs.plan(ROOT, place, chosen.only, chosen.seed, chosen.plant, chosen.shard, chosen.runs)
    built = time.monotonic() - begun
    screen = Screen(chosen.seconds, chosen.runs * len(work))
    search = Hunt(ROOT, place, work, chosen.seconds, chosen.jobs, screen, first=chosen.first or bool(chosen.plant))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: search.interrupt())
    search.run()
    found = sorted(search.findings.values(), key=lambda finding: finding.at)
    return summaries.Summary(work, found, built, time.monotonic() - search.began), search.interrupted


def main():
    chosen = arguments()
    # What was planted is none of the core's: it has a folder of its own.
    place = ROOT / 'build/hunt' / ('planted' if chosen.plant else '')
    place.mkdir(parents=True, exist_ok=True)
    interrupted = False
    try:
        if chosen.museum:
            return museum.main(ROOT, place, chosen)
        if chosen.merge:
            summary = summaries.merge(place, chosen.merge)
            if chosen.prune:
                programs.build(ROOT, {'fuzz': ['fuzz_targets']})
                programs.prune(ROOT, place)
        elif (done := hunt(chosen, place)) is None:
            return 0
        else:
            summary, interrupted = done
    except programs.Refused as refused:
        print(f'ci/hunt: {refused}', file=sys.stderr)
        return refused.status
    summary.save(place)
    report.write(ROOT, place, summary)
    machines.write(ROOT, place, summary)
    for finding in summary.findings:
        print('\n' + finding.text.rstrip())
    broken = [one for one in summary.programs if one.broken]
    for one in broken:
        print(f'\n{one.name} ended with {one.status}, and said:\n{one.tail()}')
    where = (place / 'index.html').relative_to(ROOT)
    print(f'{"interrupted: " if interrupted else ""}{summary.sentence()}; see {where}')
    return 1 if summary.findings else 4 if broken else 0


sys.exit(main())
