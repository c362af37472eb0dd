"""ci/hunt: builds, divides the time among the programs, shows how far they are, and writes the report."""
import argparse
import pathlib
import signal
import sys
import time

import programs
import report
from progress import Screen

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLACE = ROOT / 'build' / 'hunt'


def arguments():
    parser = argparse.ArgumentParser(prog='ci/hunt', add_help=False)
    parser.add_argument('--seconds', type=float, default=60)
    parser.add_argument('--only', action='append', default=[])
    parser.add_argument('--jobs', type=int, default=0)
    parser.add_argument('--seed')
    parser.add_argument('--plant', default='')
    chosen = parser.parse_args()
    if chosen.seconds <= 0:
        parser.error(f'--seconds is {chosen.seconds:g}: it must be positive')
    return chosen


def main():
    chosen = arguments()
    begun = time.monotonic()
    PLACE.mkdir(parents=True, exist_ok=True)
    try:
        programs.build(ROOT, planted=bool(chosen.plant))
        work = programs.plan(ROOT, PLACE, chosen)
    except programs.Refused as refused:
        print(f'ci/hunt: {refused}', file=sys.stderr)
        return refused.status
    built = time.monotonic() - begun
    screen = Screen(chosen.seconds, len(work))
    hunt = programs.Hunt(ROOT, PLACE, work, chosen, screen)

    def stop(*_):
        hunt.interrupt()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    hunt.run()
    screen.close()
    hunt.tell_artifacts()
    summary = hunt.summary(built)
    report.write(ROOT, PLACE, summary)
    for finding in summary.findings:
        print('\n' + finding.text.rstrip())
    broken = [one for one in summary.programs if one.broken]
    for one in broken:
        print(f'\n{one.name} ended with {one.status}, and said:\n{one.tail()}')
    where = (PLACE / 'index.html').relative_to(ROOT)
    print(f'{"interrupted: " if hunt.interrupted else ""}{summary.sentence()}; see {where}')
    return 1 if summary.findings else 4 if broken else 0


sys.exit(main())
