"""How far a hunt is: a screen that is redrawn on a terminal, a line now and then elsewhere."""
import shutil
import sys


class Screen:
    def __init__(self, seconds, runs=0):
        self.seconds, self.runs = seconds, runs  # where there are so many runs to make, their number counts
        self.terminal = sys.stderr.isatty()
        self.last = -10.0
        self.before = (0.0, 0, 0)
        self.drawn = 0  # lines

    def show(self, at, totals, last=False):
        if at - self.last < (0.25 if self.terminal else 10) and not last:
            return
        self.last = at
        then, runs, orders = self.before
        if at - then > 5:
            self.before = (at, totals.runs, totals.interleavings)
        speed = totals.runs / max(at, 0.1)
        done = min(1.0, totals.runs / self.runs if self.runs else at / self.seconds)
        of_all = f'{100 * done:.0f} %' if self.runs else f'{self.seconds:.0f} s'
        if not self.terminal:
            print(f'ci/hunt: {at:4.0f} s, {of_all}: {totals.runs:,} runs, {speed:,.0f} a second; '
                  f'{totals.properties} properties; {totals.interleavings:,} interleavings; {totals.features:,} features; '
                  f'{totals.findings} found', file=sys.stderr, flush=True)
            return
        width = min(60, shutil.get_terminal_size().columns - 20)
        bar = '█' * round(width * done) + '░' * (width - round(width * done))
        new = (totals.interleavings - orders) / max(at - then, 0.1)
        self.draw([f'{bar} {at:4.0f} s / {of_all}',
                   f'  runs           {totals.runs:>12,}   {speed:,.0f} a second',
                   f'  interleavings  {totals.interleavings:>12,}   {new:,.0f} new a second',
                   f'  features       {totals.features:>12,}   of {totals.targets} fuzz targets',
                   f'  properties     {totals.properties:>12,}   now: {"; ".join(totals.running) or "none"}',
                   f'  found          {totals.findings:>12,}'])

    def draw(self, lines):
        columns = shutil.get_terminal_size().columns - 1
        self.clear()
        print('\n'.join(line[:columns] for line in lines), file=sys.stderr, flush=True)
        self.drawn = len(lines)

    def clear(self):
        if self.drawn:
            print(f'\033[{self.drawn}A\033[J', end='', file=sys.stderr)
        self.drawn = 0

    def say(self, text):
        self.clear()
        print(text, file=sys.stderr, flush=True)
