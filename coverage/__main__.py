"""ci/coverage: builds, runs everything, and says what was reached, and whether that is enough."""
import argparse
import dataclasses
import os
import pathlib
import sys

import joined
import page
import rules
import second
import work

ROOT = pathlib.Path(__file__).resolve().parents[1]
PLACE = ROOT / 'build' / 'coverage'
BUILD = PLACE / 'build'
ROOMS = {'core': ('core/acairo/', 'core/linux/'), 'simulator': ('core/simulator/',)}


@dataclasses.dataclass
class Summary:
    rooms: dict  # percentages by room
    files: dict  # and by file in each
    groups: list
    missing: list
    excused: list


def arguments():
    parser = argparse.ArgumentParser(prog='ci/coverage', add_help=False)
    parser.add_argument('--raise', dest='raise_', action='store_true')
    parser.add_argument('--again', action='store_true')
    parser.add_argument('--second', action='store_true')
    parser.add_argument('--jobs', type=int, default=os.cpu_count())
    chosen = parser.parse_args()
    if chosen.jobs < 1:
        parser.error(f'--jobs is {chosen.jobs}: it must be positive')
    return chosen


def name_of(path):
    return str(pathlib.Path(path).relative_to(ROOT))


def is_ours(path):
    return path.startswith(tuple(f'{ROOT}/{folder}' for folders in ROOMS.values() for folder in folders))


def measured(programs):
    """Files by name, of all groups; and what each group reaches."""
    by_group = {}
    for group, those in programs.items():
        work.say(f'reading the profiles of {group}')
        files = joined.load(work.export(ROOT, PLACE, group, those), is_ours)
        by_group[group] = {(name_of(name), position, kind) for name, file in files.items() for kind, position, reached in file.items() if reached}
    work.say('reading all profiles')
    everything = list(dict.fromkeys(program for those in programs.values() for program in those))
    files = joined.load(work.export(ROOT, PLACE, '', everything), is_ours)
    return {name_of(name): file for name, file in files.items()}, by_group


def main():
    chosen = arguments()
    work.build(ROOT, PLACE, chosen.jobs)
    runs = list(work.runs_of(ROOT, BUILD))
    failed = [] if chosen.again else work.run_all(ROOT, PLACE, runs, chosen.jobs)
    files, by_group = measured(work.programs_of(runs))
    items = [item for name, file in files.items() for item in rules.items_of(name, file, (ROOT / name).read_text())]
    excused, problems = rules.excused((ROOT / 'coverage/unreached.txt').read_text(), items)
    of_room = {room: [i for i in items if i.file.startswith(folders)] for room, folders in ROOMS.items()}
    summary = Summary(
        {room: rules.percentages(those, excused) for room, those in of_room.items()},
        {room: {name: rules.percentages([i for i in those if i.file == name], excused) for name in dict.fromkeys(i.file for i in those)}
         for room, those in of_room.items()},
        list(page.reach_of(items, by_group)),
        [i for i in items if not i.reached and i not in excused],
        [i for i in items if i in excused])
    page.write_html(ROOT, PLACE, files, summary)
    floor = ROOT / 'coverage/floor.txt'
    under, over = rules.compare(rules.floors_of(floor.read_text()), summary.rooms)
    if chosen.raise_:
        floor.write_text(rules.raised(floor.read_text(), summary.rooms))
    for item in summary.missing:
        print(f'not reached: {item.told()}')
    print(page.table(summary.rooms, summary.files))
    for group, reached, alone in summary.groups:
        print(f'{group:10} reaches {len(reached):6,}, and alone {len(alone):5,}: {work.GROUPS[group]}')
    if chosen.second:
        for line in second.told(ROOT, second.opinion(ROOT, PLACE, chosen.jobs, chosen.again), files):
            print(line)
    for line in failed + problems + under + ([] if chosen.raise_ else over):
        print(f'ci/coverage: {line}', file=sys.stderr)
    print(f'{page.sentence(summary.rooms)}; see {(PLACE / "index.html").relative_to(ROOT)}')
    return 1 if failed or problems or under else 0


try:
    sys.exit(main())
except work.Failed as failure:
    print(f'ci/coverage: {failure}', file=sys.stderr)
    sys.exit(4)
