"""How far a hunt is: a bar that is redrawn on a terminal, a line now and then elsewhere."""
import shutil
import sys


class Screen:
    def __init__(self, seconds, programs):
        self.seconds, self.programs = seconds, programs
        self.terminal = sys.stderr.isatty()
        self.last = -10.0
        self.drawn = False

    def show(self, at, totals, last=False):
        runs, tests, running, features, findings = totals
        done = min(1.0, at / self.seconds)
        words = (f'{runs:,} runs, {runs / max(at, 0.1):,.0f} a second; {tests} properties; '
                 f'{features:,} features; {findings} found')
        if not self.terminal:
            if at - self.last >= 10 or last:
                self.last = at
                print(f'ci/hunt: {at:4.0f} s of {self.seconds:.0f}: {words}', file=sys.stderr, flush=True)
            return
        if at - self.last < 0.2 and not last:
            return
        self.last = at
        width = 24
        bar = '█' * round(width * done) + '░' * (width - round(width * done))
        line = f'{bar} {at:3.0f}/{self.seconds:.0f} s  {words}  {", ".join(running)}'
        print('\r\033[K' + line[:shutil.get_terminal_size().columns - 1], end='', file=sys.stderr, flush=True)
        self.drawn = True

    def say(self, text):
        if self.drawn:
            print('\r\033[K', end='', file=sys.stderr)
        print(text, file=sys.stderr, flush=True)

    def close(self):
        if self.drawn:
            print(file=sys.stderr)
