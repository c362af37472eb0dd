#!/usr/bin/env python3
"""The rules of style that a machine can see: who includes what, what is banned where and what to use instead, sizes.

    style_test.py ROOT         prints each violation in ROOT's tree; exit 1 when there is one
    style_test.py --self-test  plants each violation in a tree of its own, and near misses beside them

Invariants:
  1. Each message names what to do instead.
  2. Each rule is planted at least once by the self-test (checked there).
  3. Rules look at code only: comments and the inside of literals are blanked first, unless a rule is about those.
"""
import pathlib
import re
import sys
import tempfile

CORE_FILE_LINES = 300
# Only ever lowered.
CORE_LINES = 1500

# --- reading C++ -----------------------------------------------------------------------------------------------------

TOKEN = re.compile(
    r'(?P<comment>//[^\n]*|/\*.*?\*/)'
    r'|(?P<raw>R"(?P<delimiter>[^(\s]*)\(.*?\)(?P=delimiter)")'
    r'|(?P<include>^[ \t]*\#[ \t]*include[ \t]*[<"][^>"\n]*[>"])'
    r'|(?P<string>"(?:[^"\\\n]|\\.)*")'
    r"|(?P<number>\b\d[\w'.]*)"
    r"|(?P<character>'(?:[^'\\\n]|\\.)+')",
    re.DOTALL | re.MULTILINE)


def blank(text):
    return re.sub(r'[^\n]', ' ', text)


class Source:
    """A file: its text; its code, as long as the text, with comments and literals blanked; its includes and strings."""

    def __init__(self, root, path):
        self.path = path.relative_to(root).as_posix()
        self.text = path.read_text(encoding='utf-8', errors='replace')
        self.root = root
        self.strings = []  # (offset, what stands between the quotes)
        self.includes = []  # (offset, '<thread>')
        self.code = TOKEN.sub(self._token, self.text) if path.suffix in ('.hpp', '.cpp') else ''

    def _token(self, match):
        token = match.group()
        if match.lastgroup == 'number':
            return token
        if match.lastgroup == 'string':
            self.strings.append((match.start(), token[1:-1]))
        if match.lastgroup == 'include':
            self.includes.append((match.start(), token[re.search('[<"]', token).start():]))
        return blank(token)

    def arguments(self, opening):
        """The text between the parenthesis at `opening` and the one that closes it."""
        depth = 0
        for at in range(opening, len(self.code)):
            depth += {'(': 1, ')': -1}.get(self.code[at], 0)
            if depth == 0:
                return self.code[opening + 1:at]
        return self.code[opening + 1:]

    def statement(self, offset):
        """What stands before `offset` in its statement."""
        return re.split(r'[;{}]', self.code[:offset])[-1]


def lines_of_code(text):
    return sum(1 for line in text.splitlines() if not re.fullmatch(r'\s*(//.*)?', line))


# --- where a rule holds ----------------------------------------------------------------------------------------------

def under(*directories):
    return lambda source: source.path.startswith(directories) and source.path.endswith(('.hpp', '.cpp'))


PORTABLE = under('core/acairo/')
SHIPPED = under('core/acairo/', 'core/linux/')
EXAMPLES = under('core/examples/')
CORE = under('core/')
TESTS = under('property/', 'fuzz/', 'stress/')
# Where all time is simulated, a sleep costs nothing and waits for nothing real; and a world's delays wait for nothing at all.
REAL_TESTS = lambda source: TESTS(source) and not source.path.startswith(('property/simulator/', 'stress/platform/'))
# In the scripted world no address is ever bound, so that any may stand there.
BINDING_TESTS = lambda source: TESTS(source) and not source.path.startswith('property/scripted/')

# --- bans: (rule, where, pattern, what to use instead) ---------------------------------------------------------------

WAIT_FOR_IT = ('wait for the event itself (a future or a latch, a read that ends, a counter under a condition '
               'variable), or let a task co_await acairo::sleep_for')

BANS = [
    ('std-thread', PORTABLE,
     r'\bstd::(j?thread|this_thread|(recursive_|timed_|recursive_timed_|shared_)?mutex|(lock_guard|unique_lock|'
     r'scoped_lock|shared_lock)|condition_variable(_any)?|atomic\w*|counting_semaphore|binary_semaphore|barrier|latch|'
     r'(shared_)?future|promise|async|packaged_task|call_once|once_flag)\b',
     'use platform::thread, platform::mutex, platform::condition_variable or platform::atomic of '
     '<acairo/platform.hpp>: no test can schedule the standard\'s own'),
    ('std-stop-token', PORTABLE, r'\bstd::(stop_token|stop_source|stop_callback)\b',
     'use StopToken, StopSource and StopCallback of <acairo/stop_token.hpp>'),
    ('randomness', PORTABLE, r'\bstd::(random_device|mt19937\w*|\w+_distribution|default_random_engine)\b|\bs?rand\s*\(',
     'let <acairo/platform.hpp> provide the choice, so that a test can draw it'),
    ('clock', PORTABLE, r'\b\w+_clock\b|(?<!\bplatform)(?<!\bP)::now\s*\(|\b(clock_)?gettime(ofday)?\s*\(|\bstd::time\s*\(',
     'use platform::now(); durations of <chrono> are fine'),
    ('errno', PORTABLE, r'\berrno\b', 'use what the call of <acairo/platform.hpp> returned: the seam returns -errno'),
    ('thread-local', PORTABLE, r'\bthread_local\b',
     'use platform::thread_slot(), or carry it in the worker: a simulated thread has no thread_local of its own'),
    ('conditional', PORTABLE, r'^[ \t]*#[ \t]*(if|ifdef|ifndef|elif|else)\b',
     'put what differs behind <acairo/platform.hpp>, and begin a header with #pragma once'),
    ('system-call', PORTABLE, r'(?<![\w:>])::(?!new\b|delete\b|inet_pton\b|inet_ntop\b|[hn]to[hn][sl]\b)[a-z_]\w*\s*\(',
     'call it through platform::, so that every world answers it'),
    ('seq-cst', SHIPPED, r'\bmemory_order(_|::)seq_cst\b',
     'make the handshake one read-modify-write on one word with acquire and release, or use platform::mutex'),
    ('fence', SHIPPED, r'\batomic_(thread|signal)_fence\b',
     'make the handshake one read-modify-write on one word with acquire and release, or use platform::mutex'),
    ('atomic-wait', SHIPPED,
     r'\batomic_(flag_)?(wait|notify)\w*|(\.|->)wait\s*\([^()]*\bmemory_order|\bnotify_one\b',
     'use platform::condition_variable with notify_all()'),
    ('std-function', SHIPPED, r'\bstd::(move_only_)?function\b',
     'take the callable as a template parameter: one less allocation, and g++ 12 destroys it twice in a co_await expression'),
    ('std-function', EXAMPLES, r'\bTask<[^;{}]*>\s+\w+\s*\([^;{}]*\bstd::(move_only_)?function\b',
     'take the callable as a template parameter: g++ 12 destroys a std::function twice in a co_await expression'),
    ('namespace', SHIPPED, r'\bnamespace\s+acairo\b(?!::inline ACAIRO_WORLD\b|::contract\b)',
     'write `namespace acairo::inline ACAIRO_WORLD {`, so that objects of two worlds do not link'),
    ('sleep', REAL_TESTS,
     r'\bthis_thread::sleep_(for|until)\b|\b(usleep|nanosleep|clock_nanosleep)\s*\(|(?<![\w.>])sleep\s*\((?!\s*\))|'
     r'\bpoll\s*\(\s*(nullptr|NULL|0)\s*,|\bselect\s*\(\s*0\s*,',
     WAIT_FOR_IT),
    ('fixed-port', BINDING_TESTS, r'\bhtons\s*\(\s*[1-9]',
     'bind port 0 and ask local_address() or getsockname() which one it became'),
]

# --- rules that need more than a pattern: each yields (offset, what is wrong, what to do instead) --------------------

STANDARD = set('''algorithm any array bit bitset cassert cctype cerrno cfloat charconv chrono cinttypes climits cmath
    compare complex concepts coroutine cstddef cstdint cstdio cstdlib cstring cwchar deque exception expected format forward_list
    functional initializer_list iterator limits list locale map memory memory_resource new numbers numeric optional queue
    ranges ratio scoped_allocator set source_location span sstream stack stdexcept string string_view system_error tuple
    type_traits typeindex typeinfo unordered_map unordered_set utility valarray variant vector version'''.split())
INSTEAD = {
    'thread': 'platform::thread', 'mutex': 'platform::mutex', 'shared_mutex': 'platform::mutex',
    'condition_variable': 'platform::condition_variable', 'atomic': 'platform::atomic',
    'semaphore': 'platform::condition_variable', 'barrier': 'platform::condition_variable',
    'latch': 'platform::condition_variable', 'future': 'platform::condition_variable', 'ctime': 'platform::now()',
    'time.h': 'platform::now()', 'random': 'a choice that the platform draws', 'errno.h': '<cerrno> for its constants',
    'stop_token': 'StopToken of <acairo/stop_token.hpp>',
}


def include(source):
    for offset, name in source.includes:
        inside = name[1:-1]
        if name[0] == '"':
            yield offset, f'#include {name}', f'write <acairo/{pathlib.PurePath(inside).name}>'
        elif inside.startswith('acairo/'):
            if inside != 'acairo/platform.hpp' and not (source.root / 'core' / inside).exists():
                yield offset, f'#include {name}', 'include what stands in core/acairo, or <acairo/platform.hpp>'
        elif inside == 'atomic' and source.path == 'core/acairo/platform_contract.hpp':
            continue  # the contract of atomics names the orders
        elif inside not in STANDARD:
            yield offset, f'#include {name}', f'use {INSTEAD.get(inside, "what <acairo/platform.hpp> provides")}: the ' \
                                              'outside world comes through the seam'


ATOMIC = re.compile(r'(?:\.|->)(load|store|exchange|fetch_\w+|compare_exchange_\w+|test_and_set)\s*(\()')


def implicit_order(source):
    for match in ATOMIC.finditer(source.code):
        if 'order' not in source.arguments(match.start(2)):
            yield match.start(1), f'{match.group(1)}() without a memory order is seq_cst', 'name acquire, release or relaxed'


def compound_check(source):
    for match in re.finditer(r'\bcheck\s*(\()', source.code):
        if re.search(r'&&|\|\|', source.arguments(match.start(1))):
            yield match.start(), 'a check of two conditions', 'write two checks, or give what they say together a name first'


def without_brackets(head):
    """A declaration's head without what stands in (...) and in template <...>."""
    while re.search(r'\([^()]*\)', head):
        head = re.sub(r'\([^()]*\)', ' ', head)
    kept, rest = '', head
    while match := re.search(r'\btemplate\s*<', rest):
        kept += rest[:match.start()]
        depth, at = 1, match.end()
        while depth and at < len(rest):
            depth += {'<': 1, '>': -1}.get(rest[at], 0)
            at += 1
        rest = rest[at:]
    return kept + rest


def local_static(source):
    # Directives out of the way: their braces, and their ends without a semicolon, would mislead.
    code = re.sub(r'^[ \t]*#[^\n]*(?:\\\n[^\n]*)*', lambda match: blank(match.group()), source.code, flags=re.MULTILINE)
    scopes, start = [], 0
    for at, character in enumerate(code):
        if character not in ';{}':
            continue
        head = code[start:at]
        if character != '}' and scopes and scopes[-1] == 'block':
            found = re.match(r'\s*(?:(?:const|inline|constinit|constexpr|thread_local)\s+)*static\b', head)
            if found and not re.search(r'\b(constexpr|constinit)\b', head.split('=')[0]):
                yield start + len(head) - len(head.lstrip()), 'a static inside a function, initialized when first reached', \
                    'make it constexpr or constinit, or a member of what lives longer: its hidden lock is no world\'s'
        if character == '{':
            declared = re.search(r'\b(class|struct|union|enum|namespace|extern)\b', without_brackets(head))
            scopes.append('named' if declared else 'block')
        elif character == '}' and scopes:
            scopes.pop()
        start = at + 1


def sleep_unawaited(source):
    for match in re.finditer(r'\bsleep_(?:for|until)\s*\(', source.code):
        before = source.statement(match.start())
        if not re.search(r'\bco_await\b|\bacairo::$|\bthis_thread::$', before):
            yield match.start(), 'a sleep that no task awaits', WAIT_FOR_IT


ADDRESS = re.compile(r'(\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:.]+\]):(\d{1,5})')


def fixed_port(source):
    for offset, value in source.strings:
        match = ADDRESS.fullmatch(value)
        if match and 0 < int(match.group(2)) < 65536:
            yield offset, f'a fixed port: "{value}"', 'bind port 0 and ask local_address() which one it became; for a ' \
                                                      'refused connection, bind a socket and do not listen'


def file_size(source):
    lines = lines_of_code(source.text)
    if lines > CORE_FILE_LINES:
        yield 0, f'{lines} lines of code in one file (at most {CORE_FILE_LINES})', 'move one of its matters to a file of its own'


def pragma_once(source):
    if source.path.endswith('.hpp') and not re.search(r'^#pragma once$', source.code, re.MULTILINE):
        yield 0, 'a header that may be included twice', 'write #pragma once after the opening comment'


def opening_comment(source):
    lines = [line for line in source.text.splitlines() if line.strip() and not re.match(r'#!|---$|#pragma once$', line)]
    comment = ('//', '/*') if source.code else ('#', '"""')
    if not (lines and lines[0].startswith(comment)):
        yield 0, 'no opening comment', 'begin the file with what it is, its threads and its invariants'


# In two halves, so that this file does not name them either.
WORKPLACE = re.compile(r'\bsess' r'ions?\b|\bissu' r'e\s+#?\d+|\bissu' r'es\s+#\d+|/wo' r'rk/|/tm' r'p/w\b', re.IGNORECASE)


def workplace(source):
    for match in WORKPLACE.finditer(source.text):
        yield match.start(), f'"{match.group()}" means nothing to a reader', \
            'state the reason itself; for a peer\'s, say connection; for a path, make it relative to the project'


def module_name(source):
    path = pathlib.PurePath(source.path)
    if path.stem in sys.stdlib_module_names:
        yield 0, f'Python has a module "{path.stem}": the programs beside this file, and what they import, get this one instead', \
            'give it a name of its own'


def left_behind(source):
    if re.fullmatch(r'(crash|leak|oom|timeout|slow-unit)-[0-9a-f]{40}', pathlib.PurePath(source.path).name):
        yield 0, 'a fuzzer has left its input behind', 'give it to ci/repro, add it to fuzz/corpus under the name of its target, ' \
                                                       'or remove it'


def everywhere(source):
    return True


def commentable(source):
    return bool(source.code) or source.path.endswith(('.py', '.sh', '.cmake', 'CMakeLists.txt', '.clang-format', '.clang-tidy',
                                                      '.gitignore')) or source.path.startswith(('ci/', '.ci/'))


RULES = [
    ('include', PORTABLE, include),
    ('implicit-order', SHIPPED, implicit_order),
    ('compound-check', SHIPPED, compound_check),
    ('local-static', PORTABLE, local_static),
    ('sleep-unawaited', REAL_TESTS, sleep_unawaited),
    ('fixed-port', BINDING_TESTS, fixed_port),
    ('file-size', CORE, file_size),
    ('pragma-once', under('core/', 'property/', 'fuzz/', 'stress/'), pragma_once),
    ('opening-comment', commentable, opening_comment),
    ('workplace', everywhere, workplace),
    ('left-behind', everywhere, left_behind),
    ('module-name', lambda source: source.path.endswith('.py'), module_name),
]

# --- running them ----------------------------------------------------------------------------------------------------


def files(root):
    for path in sorted(root.rglob('*')):
        parts = path.relative_to(root).parts
        if path.is_file() and parts[0] not in ('.git', 'build') and '__pycache__' not in parts:
            if b'\0' not in path.read_bytes():
                yield path


def violations(root):
    """(rule, 'path:line', message) of everything that is wrong in the tree."""
    shipped = 0
    for path in files(root):
        source = Source(root, path)

        def at(offset):
            return f'{source.path}:{source.text.count(chr(10), 0, offset) + 1}'

        for rule, holds, pattern, instead in BANS:
            if holds(source):
                for match in re.finditer(pattern, source.code, re.MULTILINE):
                    yield rule, at(match.start()), f'`{match.group().strip()}` is banned here: {instead}'
        for rule, holds, function in RULES:
            if holds(source):
                for offset, wrong, instead in function(source):
                    yield rule, at(offset), f'{wrong}: {instead}'
        if SHIPPED(source):
            shipped += lines_of_code(source.text)
    if shipped >= CORE_LINES:
        yield 'core-size', 'core', f'core/acairo and core/linux have {shipped} lines of code (under {CORE_LINES}): ' \
                                   'simplify, or move what users need not have out of the core'


# --- the self-test ---------------------------------------------------------------------------------------------------

HEADER = '// What it is.\n#pragma once\n'
BODY = '// What it is.\nnamespace acairo::inline ACAIRO_WORLD {\nvoid f() {\n    %s;\n}\n}\n'
TEST = '// What it is.\nvoid f() { %s; }\n'

CLEAN = {
    'README.md': '# acairo\nIt issues 3 system calls.\n',
    'CMakeLists.txt': '# The build.\n',
    'ci/test': '#!/bin/bash\n# The tests.\n',
    'core/linux/acairo/platform.hpp': HEADER + '''#include <sys/socket.h>
#include <mutex>
#if 1
#endif
namespace acairo::inline ACAIRO_WORLD { inline int f() { static thread_local int x = errno; return ::close(x); } }
''',
    'core/acairo/a.hpp': HEADER + '''// errno, thread_local, std::mutex and memory_order_seq_cst in a comment are words.
#include <acairo/a.hpp>
#include <acairo/platform.hpp>
#include <vector>
/* #include <thread>
   std::atomic<int> */
namespace acairo::inline ACAIRO_WORLD {
class Widget {
public:
    static Widget make(struct Other* other) { return {}; }
    static int count;
    static inline int shared = f();
};
template <class T, class U = std::vector<T>>
struct Other { static T g() { return {}; } };
inline const char* f() {
    static constexpr int table[] = {1, 2};
    constinit static int word = 0;
    static_assert(sizeof(int) == 4);
    const char* text = "errno; std::thread; static int x = f(); \\" ::now()";
    const char* raw = R"x(thread_local " errno)x";
    char quote = '"';
    int number = 1'000'000;
    auto now = platform::now();
    while (stopped) condition_.wait(mutex_);
    word_.load(std::memory_order_acquire);
    word_.compare_exchange_weak(a, (b), std::memory_order_release,
                                std::memory_order_relaxed);
    auto old = std::exchange(a, b);
    check(a, "this && that");
    ::new (place) Widget;
    ::inet_pton(::htons(1), text, place);
    return platform::close(1), A::close(1), text;
}
}
namespace acairo::contract {}
''',
    'core/examples/e.cpp': '// An example.\nacairo::Task<void> f();\nstruct A { std::function<void()> stop; };\n',
    'core/bench/b.cpp': '// A bench.\n#include <thread>\nvoid f() { static int x = errno; ::close(x); }\n',
    'property/a_test.cpp': '''// Tests.
void f() {
    co_await acairo::sleep_for(1ms);
    co_await sleep_for(1ms);
    auto nested = acairo::timeout(1ms, acairo::sleep_for(1h));
    listener.bind("127.0.0.1:0");
    listener.bind("[::1]:0");
    EXPECT_THROW(listener.bind("localhost:80"), std::system_error);
    EXPECT_THROW(listener.bind("127.0.0.1:65536"), std::system_error);
    EXPECT_THROW(listener.bind("999.0.0.1:x80"), std::system_error);
    address.sin_port = htons(0);
    usleep_count++;
    co_await sleep();
    ::poll(&one, 1, -1);
    static const std::mutex mutex = {};
}
''',
    'property/scripted/b_test.cpp': '// Scripted.\nconst char* address = "127.0.0.1:8080";\n',
}

# (rule, file, what it holds, what the message must name)
PLANTS = [
    ('std-thread', 'core/acairo/x.cpp', BODY % 'std::jthread t', 'platform::thread'),
    ('std-thread', 'core/acairo/x.cpp', BODY % 'std::mutex m', 'platform::mutex'),
    ('std-thread', 'core/acairo/x.cpp', BODY % 'std::atomic_flag m', 'platform::atomic'),
    ('std-thread', 'core/acairo/x.cpp', BODY % 'std::condition_variable_any m', 'platform::condition_variable'),
    ('std-stop-token', 'core/acairo/x.cpp', BODY % 'std::stop_token t', 'StopToken'),
    ('randomness', 'core/acairo/x.cpp', BODY % 'std::mt19937_64 r', 'platform.hpp'),
    ('randomness', 'core/acairo/x.cpp', BODY % 'int x = rand()', 'platform.hpp'),
    ('clock', 'core/acairo/x.cpp', BODY % 'auto t = std::chrono::steady_clock::now()', 'platform::now()'),
    ('clock', 'core/acairo/x.cpp', BODY % 'auto t = Clock::now()', 'platform::now()'),
    ('errno', 'core/acairo/x.cpp', BODY % 'if (errno == EAGAIN) return', '-errno'),
    ('thread-local', 'core/acairo/x.hpp', HEADER + 'inline thread_local int x;\n', 'thread_slot'),
    ('conditional', 'core/acairo/x.hpp', HEADER + '#ifdef __linux__\n#endif\n', 'platform.hpp'),
    ('conditional', 'core/acairo/x.hpp', HEADER + '#  if 1\n#endif\n', 'platform.hpp'),
    ('system-call', 'core/acairo/x.cpp', BODY % 'int n = ::recv(1, nullptr, 0, 0)', 'platform::'),
    ('seq-cst', 'core/acairo/x.cpp', BODY % 'a.load(std::memory_order_seq_cst)', 'read-modify-write'),
    ('seq-cst', 'core/linux/acairo/x.hpp', HEADER + 'inline auto x = std::memory_order::seq_cst;\n', 'read-modify-write'),
    ('fence', 'core/linux/acairo/x.hpp', HEADER + 'inline void f() { atomic_thread_fence(o); }\n', 'read-modify-write'),
    ('atomic-wait', 'core/acairo/x.cpp', BODY % 'word_.wait(1, std::memory_order_acquire)', 'condition_variable'),
    ('atomic-wait', 'core/acairo/x.cpp', BODY % 'word_.notify_one()', 'condition_variable'),
    ('std-function', 'core/acairo/x.cpp', BODY % 'spawn(std::function<void()> f)', 'template parameter'),
    ('std-function', 'core/examples/x.cpp', '// What.\nacairo::Task<void> f(int x,\n  std::function<void()> f) {}\n', 'template parameter'),
    ('namespace', 'core/acairo/x.cpp', '// What.\nnamespace acairo { }\n', 'ACAIRO_WORLD'),
    ('namespace', 'core/acairo/x.cpp', '// What.\nnamespace acairo::detail { }\n', 'ACAIRO_WORLD'),
    ('sleep', 'property/x_test.cpp', TEST % 'std::this_thread::sleep_for(1ms)', 'wait for the event'),
    ('sleep', 'property/x_test.cpp', TEST % 'usleep(10)', 'wait for the event'),
    ('sleep', 'property/counts/x_test.cpp', TEST % '::sleep(1)', 'wait for the event'),
    ('sleep', 'stress/x.cpp', TEST % '::poll(nullptr, 0, 10)', 'wait for the event'),
    ('sleep-unawaited', 'property/x_test.cpp', TEST % 'sleep_for(1ms)', 'co_await'),
    ('fixed-port', 'property/x_test.cpp', TEST % 'bind("127.0.0.1:8080")', 'port 0'),
    ('fixed-port', 'property/x_test.cpp', TEST % 'bind("[::1]:1")', 'port 0'),
    ('fixed-port', 'property/x_test.cpp', TEST % 'a.sin_port = htons(8080)', 'port 0'),
    ('include', 'core/acairo/x.hpp', HEADER + '#include <thread>\n', 'platform::thread'),
    ('include', 'core/acairo/x.hpp', HEADER + '#include <mutex>\n', 'platform::mutex'),
    ('include', 'core/acairo/x.hpp', HEADER + '# include <condition_variable>\n', 'platform::condition_variable'),
    ('include', 'core/acairo/x.hpp', HEADER + '#include <atomic>\n', 'platform::atomic'),
    ('include', 'core/acairo/x.hpp', HEADER + '#include <stop_token>\n', 'stop_token.hpp'),
    ('include', 'core/acairo/x.hpp', HEADER + '#include <sys/epoll.h>\n', 'platform.hpp'),
    ('include', 'core/acairo/x.hpp', HEADER + '#include <unistd.h>\n', 'platform.hpp'),
    ('include', 'core/acairo/x.hpp', HEADER + '#include <iostream>\n', 'platform.hpp'),
    ('include', 'core/acairo/x.hpp', HEADER + '#include <spdlog/spdlog.h>\n', 'platform.hpp'),
    ('include', 'core/acairo/x.hpp', HEADER + '#include <acairo/absent.hpp>\n', 'core/acairo'),
    ('include', 'core/acairo/x.hpp', HEADER + '#include "a.hpp"\n', '<acairo/a.hpp>'),
    ('implicit-order', 'core/acairo/x.cpp', BODY % 'word_.load()', 'acquire'),
    ('implicit-order', 'core/acairo/x.cpp', BODY % 'word_->compare_exchange_strong(a, f(b))', 'acquire'),
    ('implicit-order', 'core/linux/acairo/x.cpp', BODY % 'word_.fetch_add(1)', 'acquire'),
    ('compound-check', 'core/acairo/x.cpp', BODY % 'check(f(a) && b, "text")', 'two checks'),
    ('compound-check', 'core/acairo/x.cpp', BODY % 'check(a ||\n b, "text")', 'two checks'),
    ('local-static', 'core/acairo/x.cpp', BODY % 'static Widget widget', 'constinit'),
    ('local-static', 'core/acairo/x.cpp', BODY % 'static const Widget widget{1}', 'constinit'),
    ('local-static', 'core/acairo/x.cpp', BODY % 'const static auto x = [] { return 1; }()', 'constinit'),
    ('local-static', 'core/acairo/x.cpp', BODY % 'if (x) { static int y = constexpr_value; }', 'constinit'),
    ('local-static', 'core/acairo/x.hpp',
     HEADER + 'template <class F, class = int>\nclass A { int g(struct B* b) { static int x = h(); return x; } };\n', 'constinit'),
    ('file-size', 'core/examples/x.cpp', '// What.\n' + 'int x;\n' * (CORE_FILE_LINES + 1), 'a file of its own'),
    ('pragma-once', 'property/x.hpp', '// What.\nint x;\n', '#pragma once'),
    ('opening-comment', 'core/acairo/x.hpp', '#pragma once\nint x;\n', 'what it is'),
    ('opening-comment', 'property/x_test.cpp', '#include <vector>\n// Later.\n', 'what it is'),
    ('opening-comment', 'ci/x', '#!/bin/bash\nset -eu\n', 'what it is'),
    ('opening-comment', 'property/CMakeLists.txt', 'project(x)\n', 'what it is'),
    ('workplace', 'README.md', 'See iss' 'ue 12.\n', 'reason itself'),
    ('workplace', 'README.md', 'See iss' 'ues #1 and #2.\n', 'reason itself'),
    ('workplace', 'core/acairo/x.hpp', HEADER + '// As the last sess' 'ion left it.\n', 'reason itself'),
    ('workplace', 'ci/x', '#!/bin/bash\n# Run.\ncd /wo' 'rk/main\n', 'relative'),
    ('module-name', 'stress/bisect.py', '"""What."""\n', 'a name of its own'),
    ('left-behind', 'crash-' + 40 * '0', '', 'ci/repro'),
    ('core-size', None, None, 'simplify'),
]


def plant(root, tree):
    for name, text in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def self_test():
    failures = []
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory, 'clean')
        plant(root, CLEAN)
        failures += [f'the clean tree: {rule} at {place}: {message}' for rule, place, message in violations(root)]
    if failures:
        print('\n'.join(failures))
        return 1
    for number, (rule, name, text, named) in enumerate(PLANTS):
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory, str(number))
            many = {f'core/acairo/x{i}.cpp': '// What.\n' + 'int x;\n' * 250 for i in range(CORE_LINES // 250 + 1)}
            plant(root, {**CLEAN, **({name: text} if name else many)})
            found = list(violations(root))
            if not any(r == rule and named in message and place.startswith(name or 'core') for r, place, message in found):
                failures.append(f'{rule} does not fire, naming "{named}", on {name}: {str(text)[:200]!r}; found: {found}')
            failures += [f'planting {rule} ({str(text)[:200]!r}): {r} fires as well at {place}: {message}'
                         for r, place, message in found if r != rule and (rule, r) not in (('seq-cst', 'implicit-order'),)]
    planted = {rule for rule, *_ in PLANTS}
    for rule in {rule for rule, *_ in BANS} | {rule for rule, *_ in RULES} | {'core-size'}:
        if rule not in planted:
            failures.append(f'{rule} is never planted')
    print('\n'.join(failures + [f'{len(PLANTS)} violations planted, {len(failures)} failures']))
    return 1 if failures else 0


def main(arguments):
    if arguments == ['--self-test']:
        return self_test()
    if len(arguments) != 1 or not pathlib.Path(arguments[0]).is_dir():
        print('usage: style_test.py ROOT | --self-test', file=sys.stderr)
        return 2
    root = pathlib.Path(arguments[0]).resolve()
    found = list(violations(root))
    for rule, place, message in found:
        print(f'{place}: [{rule}] {message}')
    print(f'{sum(1 for _ in files(root))} files, {len(found)} violations')
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
