"""What was found: one failure of one property, where it is, and under which rule machines file it."""
import dataclasses
import hashlib
import pathlib
import re

# One rule for each oracle: what it is called, what the kind of a failure begins with, and what it means.
RULES = {
    'deadlock': ('deadlock', 'Every thread waits for what can no longer come.'),
    'livelock': ('livelock', 'The threads run on, and nothing comes of it.'),
    'busy': ('busy', 'A thread that should be idle asks again and again.'),
    'hang': ('hang', 'A run has not ended after half a minute.'),
    'leak': ('leaked|LeakSanitizer', 'Memory or a descriptor outlives the run.'),
    'race': ('ThreadSanitizer', 'Two threads use the same memory without an order between them.'),
    'memory': ('AddressSanitizer', 'Memory is used that is not the program\'s to use.'),
    'undefined-behaviour': ('UndefinedBehaviorSanitizer', 'The language gives this no meaning.'),
    'misuse': ('misuse|reused descriptor', 'A system call is made that the kernel refuses, or that meets a stranger.'),
    'check': ('check failed', 'A check of the library itself has failed.'),
    'crash': ('signal|exit', 'The process has died.'),
    'exception': ('exception', 'An exception has left a thread.'),
    'nondeterminism': ('nondeterminism|only in a process', 'Equal choices have given two different runs.'),
    'requirement': ('', 'What the property requires does not hold.'),
}
# The story names a file without its directory; where several have that name, the first of these is meant.
DIRECTORIES = ('core/acairo', 'core/simulator/acairo', 'property/properties', 'fuzz', 'fuzz/driver', 'property')


@dataclasses.dataclass
class Finding:
    title: str
    text: str
    token: str
    by: str
    at: float  # seconds since the hunt began
    key: str = ''
    again: str = ''  # what makes it again, perhaps, where there is no token

    def __post_init__(self):
        self.key = self.key or hashlib.sha1(self.title.encode()).hexdigest()[:12]

    @property
    def test(self):
        return self.title.partition(': ')[0]

    @property
    def kind(self):
        return self.title.partition(': ')[2]

    @property
    def command(self):
        return f'ci/repro {self.token}' if self.token else self.again

    @property
    def rule(self):
        return next(rule for rule, (begins, _) in RULES.items() if re.match(begins, self.kind))

    def frames(self, root):
        """(file, line, what happened there) of each line of the story, the last one last."""
        frames = []
        for line in self.text.splitlines():
            story = re.match(r'\s+\d+  (thread \d+\s+.*?)\s+([\w.]+\.[ch]pp):(\d+)', line)
            if story and (path := path_of(root, story[2])):
                frames.append((path, int(story[3]), ' '.join(story[1].split())))
        return frames

    def place(self, root):
        """Where the failing run came to its end: of what a property requires, its own last line; its file where no story tells."""
        own = re.findall(rf'\b{self.test}\.cpp:(\d+)', self.text)
        if own and self.rule == 'requirement':
            return path_of(root, f'{self.test}.cpp') or f'property/properties/{self.test}.cpp', int(own[-1])
        if frames := self.frames(root):
            return frames[-1][:2]
        for path in (f'property/properties/{self.test}.cpp', f'fuzz/{self.by.removeprefix("fuzz ")}.cpp'):
            if (root / path).exists():
                return path, 1
        return 'core/acairo/acairo.hpp', 1

    def save(self, directory):
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f'{self.key}.txt').write_text(self.text + '\n')


def finding_of(text, by, at, program=''):
    """`program` is one with real threads: what it finds has a token only when the simulator has found it as well."""
    title = text.splitlines()[0].removeprefix('FAILED: ')
    token = re.search(r'^  ci/repro (\S+)', text, re.MULTILINE)
    seed = re.search(r'\bfrom seed (\d+)', text)
    again = f'{program} --only {title.partition(": ")[0]} --seed {seed[1]}' if program and seed else ''
    return Finding(title, text.rstrip(), token[1] if token else '', by, at, again=again)


def path_of(root, name):
    return next((f'{directory}/{name}' for directory in DIRECTORIES if (pathlib.Path(root) / directory / name).exists()), None)
