"""What gdb knows of a simulated run. `PROGRAM repro TOKEN --gdb` and `ci/repro TOKEN --gdb` load it: see `acairo help` there.

Simulated threads are fibers of one thread of the machine, and waiting coroutines are no threads at all: gdb by itself shows
the one stack that runs. Here an unwinder goes on from where a fiber has stopped, and coroutines are found among the run's
allocations, which the simulator counts.

Invariants:
  1. Looking changes nothing: no register and no byte of the process is written, but the number of the step to stop before.
  2. What is told is in the order of threads, descriptors and allocations, never of addresses: equal tokens give equal text.
  3. Where the debug information has no answer, it says so, and does not guess.
"""
import re

import gdb
import gdb.unwinder

CORE = 'acairo::simulated_world::detail::'
SIMULATOR = 'acairo::simulator::'
NEVER = 2 ** 63 - 1


def read(name, kind):
    """A variable of the simulator; some builds know its place, and not its type."""
    place = gdb.parse_and_eval(f"(char*)&'{SIMULATOR}{name}'")
    return place.cast(gdb.lookup_type(kind).pointer()).dereference()


def word(address):
    return int(gdb.Value(address).cast(gdb.lookup_type('unsigned long').pointer()).dereference())


def running():
    """The scheduler of the run that is under way."""
    try:
        place = gdb.parse_and_eval(f"*(char**)&'{SIMULATOR}Scheduler::running_'")
        if int(place) != 0:
            return place.cast(gdb.lookup_type(SIMULATOR + 'Scheduler').pointer()).dereference()
    except gdb.error as error:
        raise gdb.GdbError(f'no simulated run is under way here ({error}); start one with: acairo goto 1')
    raise gdb.GdbError('no simulated run is under way now: it has not begun, or is over; start it again with: acairo goto 1')


def machine():
    return running()['host_'].dereference().cast(gdb.lookup_type(SIMULATOR + 'Machine'))


def contents_of(address, kind):
    """What stands there, as bytes: of an object gdb would look for the name of the virtual table, and warn where it has none."""
    kind = gdb.lookup_type(kind)
    return gdb.Value(gdb.selected_inferior().read_memory(address, kind.sizeof).tobytes(), kind)


def offset_of(kind, field):
    return int(gdb.parse_and_eval(f"(unsigned long)&(('{kind}'*)0)->{field}"))


def elements(container):
    """Of a std::vector or a std::array, of libstdc++ or libc++."""
    fields = {field.name for field in container.type.strip_typedefs().fields()}
    for name in ('_M_elems', '__elems_'):
        if name in fields:
            array = container[name]
            return [array[i] for i in range(array.type.strip_typedefs().range()[1] + 1)]
    if '_M_impl' in fields or any(field.is_base_class for field in container.type.strip_typedefs().fields()):
        first, last = container['_M_impl']['_M_start'], container['_M_impl']['_M_finish']
    else:
        first, last = container['__begin_'], container['__end_']
    return [first[i] for i in range(int(last - first))]


def first_field(value, *names):
    fields = {field.name for field in value.type.strip_typedefs().fields()}
    return next((value[name] for name in names if name in fields), None)


def name_of(enumerator):
    """'tcp::close_wait' is close_wait."""
    return str(enumerator).rsplit('::', 1)[-1]


# --- places in the sources ---------------------------------------------------------------------------------------------


def without(text, opening, closing):
    kept, depth = '', 0
    for character in text:
        depth += character == opening
        if depth == 0:
            kept += character
        depth -= character == closing and depth > 0
    return kept


def mangled(name):
    """The same of a name that this gdb cannot read: g++ and clang know newer ones."""
    match, parts = re.match(r'_ZZ?NK?', name), []
    rest = name[match.end():] if match else ''
    while length := re.match(r'\d+', rest):
        end = length.end() + int(length[0])
        parts.append(rest[length.end():end])
        rest = rest[end:]
    return '::'.join(parts + ['lambda'] * ('Ul' in rest or '$_' in rest))


def short(function):
    """a_message_comes_back(acairo::Trial&)::$_1::operator()() const is a_message_comes_back::lambda."""
    text = re.sub(r'\[(clone|abi)[^\]]*\]|\(anonymous namespace\)::|^static ', '', function)
    text = re.sub(r'\.(resume|actor|destroy|cleanup)$', '', text)
    text = re.sub(r'\$_\d+|\{lambda[^{}]*?#\d+\}|<lambda[^>]*>|\'lambda\d*\'\(.*?\)', 'lambda', text)
    text = mangled(text) if text.startswith('_Z') else text.replace('operator()', 'call')
    text = without(without(text, '<', '>'), '(', ')').split(' const')[0].strip()
    # What several sources that are compiled as one are told apart by.
    text = re.sub(r'\bof_\w+?::', '', text)
    text = re.sub(r'lambda::call.*', 'lambda', text).split(' ')[-1]
    parts = [part for part in text.split('::') if part not in ('acairo', 'simulated_world', 'detail', 'simulator', 'property', '')]
    return '::'.join(parts[-2:])


def file_of(path):
    return path.rsplit('/', 1)[-1]


def place_of(frame):
    """(file, line, function) of a frame, or None where there is no debug information."""
    where = frame.find_sal()
    if not where.symtab or not where.line or not frame.name():
        return None
    return where.symtab.filename, where.line, short(frame.name())


def of_simulator(path):
    return '/core/simulator/' in path or '/include/c++/' in path or '/sysdeps/' in path


def of_library(path):
    return '/core/acairo/' in path or '/include/acairo/' in path


def text_of(places):
    """The innermost place, and behind it the innermost that is not the library's own."""
    places = [place for place in places if not of_simulator(place[0])]
    if not places:
        return ''
    user = next((place for place in places if not of_library(place[0])), places[0])
    return ' < '.join(dict.fromkeys(f'{file_of(path)}:{line} {function}' for path, line, function in (places[0], user)))


# --- fibers ------------------------------------------------------------------------------------------------------------


class Stopped(gdb.unwinder.Unwinder):
    """While `fiber` is set, what called the innermost frame is that fiber, where it left its stack."""

    # What Boost.Context's jump pushes on x86-64, and what lies above it.
    saved = {'r12': 0x08, 'r13': 0x10, 'r14': 0x18, 'r15': 0x20, 'rbx': 0x28, 'rbp': 0x30, 'rip': 0x38}

    def __init__(self):
        super().__init__('acairo: a simulated thread that does not run')
        self.fiber = None

    def __call__(self, pending):
        if self.fiber is None or pending.level() != 0:
            return None
        stack = int(self.fiber['context']['resume_'])

        kind = gdb.lookup_type('unsigned long')

        class Identity:
            # Below the fiber's frames: gdb takes a stack that goes down for a corrupt one.
            sp, pc = gdb.Value(stack).cast(kind), pending.read_register('rip').cast(kind)
        unwound = pending.create_unwind_info(Identity())
        for register, offset in self.saved.items():
            unwound.add_saved_register(register, gdb.Value(word(stack + offset)).cast(kind))
        unwound.add_saved_register('rsp', gdb.Value(stack + 0x40).cast(kind))
        return unwound

    def show(self, fiber):
        self.fiber = fiber
        gdb.invalidate_cached_frames()


def fibers():
    scheduler = running()
    all_fibers = elements(scheduler['fibers_'])
    return [all_fibers[i].dereference() for i in range(int(scheduler['started_']))]


def is_current(fiber):
    return int(fiber.address) == int(running()['current_'])


def has_a_stack(fiber):
    return bool(fiber['begun']) and name_of(fiber['state']) in ('ready', 'waiting')


def frames_of(fiber):
    """The frames of a fiber, innermost first, without gdb's own view of them being changed for longer."""
    if not has_a_stack(fiber) and not is_current(fiber):
        return
    before = STOPPED.fiber
    STOPPED.show(None if is_current(fiber) else fiber)
    try:
        frame = gdb.newest_frame()
        while frame is not None and not is_current(fiber) and frame.level() == 0 or \
                frame is not None and frame.type() == gdb.INLINE_FRAME and STOPPED.fiber is not None and \
                not on_stack_of(fiber, frame):
            frame = frame.older()
        while frame is not None and 'FiberEntry' not in (frame.name() or ''):
            yield frame
            frame = frame.older()
    except gdb.error:
        return  # what is below cannot be unwound
    finally:
        STOPPED.show(before)


def on_stack_of(fiber, frame):
    bottom = int(fiber['context']['bottom_'])
    return bottom <= int(frame.read_register('rsp')) <= bottom + int(fiber['context']['size_']) + 0x100


def source_location(location):
    data = first_field(location, '_M_impl', '__ptr_')
    if data is None or int(data) == 0:
        return None
    return file_of(data['_M_file_name'].string()), int(data['_M_line'])


def who(fiber):
    number = int(fiber['number'])
    where = source_location(fiber['started'])
    if number == 0 or int(fiber['slot']):
        return 'the body' if number == 0 else 'a worker'
    return f'started at {where[0]}:{where[1]}' if where and where[0].endswith('pp') else 'a thread'


def operation_of(wait, name=None, number=None):
    name = wait['operation']['name'].string() if name is None else name
    number = int(wait['object']) if number is None else number
    if name.startswith('thread.'):
        return f'{name} of thread {number}'
    if '.' in name:
        return f'{name} of object {number}'
    # A system call: its object is the descriptor, from 1.
    return name if name in ('now', 'sleep_until', 'nothing') else f'{name}({number - 1 if number else ""})'


def time_text(nanoseconds):
    for unit, name in ((10 ** 9, 's'), (10 ** 6, 'ms'), (10 ** 3, 'µs')):
        if abs(nanoseconds) >= unit:
            return f'{nanoseconds / unit:.3f}'.rstrip('0').rstrip('.') + ' ' + name
    return f'{nanoseconds} ns'


def state_of(fiber):
    state = name_of(fiber['state'])
    operation = operation_of(fiber['wait'])
    if is_current(fiber):
        return 'failed' if state == 'failed' else f'next: {operation}'
    if state == 'ready':
        return f'ready: {operation}' if fiber['begun'] else 'ready: has not begun'
    if state == 'waiting':
        return f'waits: {operation}'
    return 'has ended'


# --- coroutines --------------------------------------------------------------------------------------------------------


def allocations():
    """(number, address, size) of all that the run has allocated and not freed, in the order of their allocation."""
    table = read('allocations::table', SIMULATOR + 'allocations::Table')
    found = []
    for i in range(int(table['capacity'])):
        entry = table['entries'][i]
        if int(entry['place']):
            found.append((int(entry['number']), int(entry['place']), int(entry['size'])))
    return sorted(found)


def symbol_at(address):
    """(name, how far beyond its beginning); every build has symbols. None: there is none."""
    text = gdb.execute(f'info symbol {address}', to_string=True).strip()
    match = re.match(r'(.+?)(?: \+ (\d+))?(?: in section \S+(?: of .*)?)?$', text, re.DOTALL)
    return None if text.startswith('No symbol') or not match else (match[1], int(match[2] or 0))


def coroutine_at(address):
    """The name of the coroutine of which one of the two functions begins there, or None."""
    if address not in COROUTINES:
        symbol = symbol_at(address)
        part = symbol and re.search(r'(\[clone )?\.(resume|destroy|cleanup|actor)\b', symbol[0])
        COROUTINES[address] = symbol[0] if part and symbol[1] == 0 else None
    return COROUTINES[address]


COROUTINES = {}  # by address
SUSPENSION_POINTS = {}  # by the function's address
# A byte, or, of g++, sixteen bits, which it may write by a register.
STORE = re.compile(r'mov(b|w|)\s+(\$(?P<value>0x[0-9a-f]+)|%(?P<register>[abcd]x|[sd]i|r\d+w)),(?P<offset>0x[0-9a-f]+)?\(%(?P<base>r\w+)\)$')
LOOK = re.compile(r'(?P<what>movz[bw]\w|mov(?=.*%\w*l$)|mov(?=.*%r\d+b$)|cmp[bw]|test[bw])\s+(\$0x[0-9a-f]+,)?'
                  r'(?P<offset>0x[0-9a-f]+)?\(%(?P<base>r\w+)\)(,%\w+)?$')


def narrow(register):
    """The 64-bit register that a part belongs to: %cx and %ecx are rcx."""
    match = re.fullmatch(r'[er]?([abcd]x|[sd]i|bp|sp)|r(\d+)[wdb]?|([abcd])l', register)
    return match and ('r' + (match[1] or match[2] or match[3] + 'x'))


def constant_of(code, at, register):
    """What the register holds at instruction `at`: a constant, or how far beyond another pointer it points; or None."""
    wanted, slot = narrow(register), None
    for text in reversed(code[max(0, at - 200):at]):
        if slot:
            match = re.match(r'mov\s+%(\w+),(.*)$', text)
            if match and match[2] == slot:
                wanted, slot = narrow(match[1]), None
            continue
        match = re.match(r'(\w+)\s+(.*),%(\w+)$', text)
        if not match or narrow(match[3]) != wanted:
            continue
        what, source = match[1], match[2]
        offset = re.fullmatch(r'\$?(0x[0-9a-f]+)(\(%\w+\))?', source)
        if what == 'xor':
            return 0
        if offset and (what in ('add', 'lea') or what.startswith('mov') and source[0] == '$'):
            return int(offset[1], 16)
        if what.startswith('mov') and source[0] == '%':
            wanted = narrow(source[1:])
        elif what.startswith('mov') and re.fullmatch(r'-?0x[0-9a-f]+\(%r[bs]p\)', source):
            slot = source
        else:
            return None
    return None


def where_it_looks_first(code, addresses):
    way, at = [], 0  # without optimizing, it jumps to where it looks
    while at < len(code) and len(way) < 1000:
        look = LOOK.match(code[at])
        if look and look['base'] not in ('rsp', 'rbp', 'rip') and look['offset'] != '0x7fff8000':  # AddressSanitizer's shadow
            offset = int(look['offset'], 16) if look['offset'] else constant_of(way, len(way), look['base'])
            return offset, 2 if 'w' in look['what'] else 1
        way.append(code[at])
        jump = re.match(r'jmp\s+(0x[0-9a-f]+)$', code[at])
        at = addresses.index(int(jump[1], 16)) if jump and int(jump[1], 16) in addresses else at + 1
    return None, 0


def suspension_points(start):
    """(where in the frame the index stands, its width, the line of each index), of the function that resumes.

    Before it waits, a coroutine writes a number into its frame that says where it goes on: in the line of its co_await. When it
    is resumed, it first looks at that number. Full debug information would name the place; the code does in every build."""
    if start in SUSPENSION_POINTS:
        return SUSPENSION_POINTS[start]
    file = gdb.find_pc_line(start).symtab
    code, addresses = [], []
    for address, text in re.findall(r'^(?:=>)?\s+(0x[0-9a-f]+).*?:\s+(.*)$', gdb.execute(f'disassemble {start}', to_string=True), re.MULTILINE):
        addresses.append(int(address, 16))
        code.append(re.sub(r'\s*(#|<).*', '', text).strip())
    (offset, width), lines = where_it_looks_first(code, addresses), {}
    for at, text in enumerate(code):
        store = STORE.match(text)
        if not store or store['base'] in ('rsp', 'rbp'):
            continue
        where = gdb.find_pc_line(addresses[at])
        if not file or not where.symtab or where.symtab.filename != file.filename:
            continue
        to = int(store['offset'], 16) if store['offset'] else constant_of(code, at, store['base'])
        # Under a sanitizer, where it is written may be unknown.
        if to is not None and to != offset:
            continue
        value = int(store['value'], 16) if store['value'] else constant_of(code, at, store['register'])
        lines.setdefault(value, where.line)
    SUSPENSION_POINTS[start] = offset, width, lines
    return SUSPENSION_POINTS[start]


class Coroutine:
    """A frame: two functions, then the promise, which of a task begins with its Frame."""

    def __init__(self, number, address, size):
        self.number, self.address, self.size = number, address, size
        self.resume, destroy = word(address), word(address + 8)
        self.symbol = coroutine_at(self.resume or destroy)
        self.begin = gdb.find_pc_line(self.resume or destroy)
        self.over = self.resume == 0
        promise = gdb.Value(address + 16)
        self.frame = promise.cast(gdb.lookup_type(CORE + 'Frame').pointer()).dereference()
        self.is_task = False
        try:
            owner = self.frame['owner']
            self.is_task = bool(int(owner)) and int(owner['frame']) == address + 16
        except gdb.MemoryError:
            pass

    @property
    def name(self):
        return short(self.symbol)

    def place(self, running_on=None):
        """file:line of the co_await that it waits in; or where it is, when it runs on that thread."""
        if not self.begin.symtab:
            return 'no debug information'
        file, line = file_of(self.begin.symtab.filename), self.begin.line
        for frame in frames_of(running_on) if running_on is not None else ():
            symbol = frame.type() != gdb.INLINE_FRAME and symbol_at(frame.pc())
            if symbol and symbol[0] == self.symbol:
                return f'{file}:{frame.find_sal().line} (runs)'
        if self.over:
            return f'{file}:{line} (has ended)'
        offset, width, lines = suspension_points(self.resume)
        index = None
        if offset is not None and offset + width <= self.size:
            index = word(self.address + offset) & (0xff if width == 1 else 0xffff)
        if index == 0 and 0 not in lines:
            return f'{file}:{line} (has not begun)'
        if index not in lines:
            return f'{file}, somewhere after line {line}'
        return f'{file}:{lines[index]}'


def coroutines():
    found = []
    for number, address, size in allocations():
        if size < 40:
            continue
        first, second = word(address), word(address + 8)
        if (first or second) and all(pointer == 0 or coroutine_at(pointer) for pointer in (first, second)):
            found.append(Coroutine(number, address, size))
    return found


def call_of(operation):
    """read_some of an Operation*."""
    # By the name of its virtual table: not every build describes every type.
    symbol = symbol_at(word(int(operation)))
    name = short(symbol[0].split('vtable for ')[-1]) if symbol else 'an operation'
    return re.sub(r'(?<!^)([A-Z])', r'_\1', name).lower()


def what_chain_waits_for(chain):
    operation = chain['operation']
    if int(operation) == 0:
        return None
    text = call_of(operation)
    socket = contents_of(int(operation), CORE + 'Operation')['socket']
    if int(socket):
        closed = int(socket['word_']['value_'].address.cast(gdb.lookup_type('unsigned int').pointer()).dereference()) & 1
        text += f' of descriptor {int(socket["fd_"])}' + (', which is closed' if closed else '')
    if int(chain['anchor']):
        text += f', until {time_text(int(first_field(chain["deadline"], "__r", "__rep_")) - int(running()["now_"]))} from now'
    return text


def thread_of(chain):
    """The number of the simulated thread whose worker the chain belongs to."""
    worker = int(chain['worker'])
    return next((int(fiber['number']) for fiber in fibers() if worker and int(fiber['slot']) == worker), None)


def state_of_chain(address, chain):
    thread = thread_of(chain)
    on = 'on no worker' if not int(chain['worker']) else f'of thread {thread}' if thread is not None else 'of a worker that does not run'
    waits = what_chain_waits_for(chain)
    if int(chain['runner']):
        return on, 'runs' if waits is None else f'runs: {waits}'
    if waits and chain['parked']:
        return on, f'waits: {waits}'
    # A ring of its own: it is in no queue.
    if int(chain['next']) == address + offset_of(CORE + 'Chain', 'next') and waits is None:
        return on, 'waits: a foreign awaitable'
    return on, 'is queued' if waits is None else f'is queued: {waits}'


def chains():
    """[(its address, the chain, its tasks from the leaf to the root)], and the coroutines that belong to none."""
    found, others, by_promise = {}, [], {}
    for coroutine in coroutines():
        by_promise[coroutine.address + 16] = coroutine
        chain = int(coroutine.frame['chain']) if coroutine.is_task else 0
        if chain:
            found.setdefault(chain, []).append(coroutine)
        else:
            others.append(coroutine)
    result = []
    for address, members in found.items():
        chain = contents_of(address, CORE + 'Chain')
        tasks, promise = [], int(chain['leaf'])
        while promise in by_promise:
            task = by_promise[promise]
            tasks.append(task)
            awaiting = task.frame['awaiting']
            promise = int(awaiting['parent'].address) if int(awaiting) else 0
        result.append((address, chain, tasks, [member for member in members if member not in tasks]))
    return result, others


# --- the kernel --------------------------------------------------------------------------------------------------------

# But ERR and HUP, which every registration has.
EVENTS = ((0x001, 'IN'), (0x002, 'PRI'), (0x004, 'OUT'), (0x2000, 'RDHUP'), (1 << 30, 'ONESHOT'), (1 << 31, 'ET'))


def events_text(bits):
    return '|'.join(name for bit, name in EVENTS if bits & bit) or 'nothing'


def address_text(endpoint):
    host = [int(byte) for byte in elements(endpoint['host'])]
    port = int(endpoint['port'])
    if endpoint['v6']:
        return f'[::1]:{port}' if host == [0] * 15 + [1] else f'[{":".join(f"{a:02x}{b:02x}" for a, b in zip(host[::2], host[1::2]))}]:{port}'
    return '.'.join(str(byte) for byte in host[:4]) + f':{port}'


def bytes_text(pipe, begin, end, most=24):
    ring = elements(pipe['bytes']['bytes_'])
    if not ring or begin == end:
        return ''
    data = bytes(int(ring[at & (len(ring) - 1)]) & 0xff for at in range(begin, min(end, begin + most)))
    text = ''.join(chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\' else f'\\{byte:o}' for byte in data)
    return f' "{text}{"..." if end - begin > most else ""}"'


def linked(items, link):
    item = items['first']
    while int(item):
        yield item.dereference()
        item = item[link]['next']


def queue_size(queue):
    return len(elements(queue['elements_'])) - int(queue['head_'])


def socket_text(socket):
    pipe = socket['incoming']
    position = {name: int(pipe[name]) for name in ('read', 'arrived', 'launched', 'written')}
    parts = [f'{address_text(socket["local"])} -> {address_text(socket["remote"])}']
    if position['arrived'] > position['read']:
        parts.append(f'{position["arrived"] - position["read"]} to read{bytes_text(pipe, position["read"], position["arrived"])}')
    if position['launched'] > position['arrived']:
        parts.append(f'{position["launched"] - position["arrived"]} in flight to it{bytes_text(pipe, position["arrived"], position["launched"])}')
    if position['written'] > position['launched']:
        parts.append(f'{position["written"] - position["launched"]} that its peer still holds back')
    if pipe['fin_arrived']:
        parts.append('the peer has ended')
    if pipe['reset_arrived']:
        parts.append('the peer has reset it')
    if int(socket['error']):
        parts.append(f'error {int(socket["error"])}')
    if len(parts) == 1:
        parts.append('nothing to read')
    return ', '.join(parts)


def descriptor_text(file):
    """(what, state, more) of an open descriptor."""
    kind = name_of(file['kind'])
    if kind == 'counter':
        counter = file.cast(gdb.lookup_type(SIMULATOR + 'detail::Counter'))
        return 'eventfd', '', f'its count is {int(counter["value"])}'
    if kind == 'epoll':
        epoll = file.cast(gdb.lookup_type(SIMULATOR + 'detail::Epoll'))
        watched = sorted((int(item['fd']), events_text(int(item['events'])), bool(item['ready'])) for item in linked(epoll['all'], 'of_epoll'))
        return 'epoll', '', 'watches ' + (', '.join(f'{fd} ({events}){" which is ready" if ready else ""}' for fd, events, ready in watched) or 'nothing')
    if kind == 'null':
        return 'file', '', '/dev/null'
    socket = file.cast(gdb.lookup_type(SIMULATOR + 'detail::Socket'))
    state = name_of(socket['state'])
    if state == 'listen':
        return 'listener', '', f'{address_text(socket["local"])}, {queue_size(socket["waiting"])} of {int(socket["backlog"])} wait to be accepted'
    if name_of(socket['association']) == 'unconnected' and state == 'closed':
        return 'socket', 'fresh', f'bound to {address_text(socket["local"])}' if socket['bound'] else 'not bound'
    return 'socket', state, socket_text(socket)


def open_descriptors():
    """[(number, its slot)]"""
    slots = elements(machine()['kernel_']['slots_'])
    return [(number, slot) for number, slot in enumerate(slots) if int(slot['file'])]


# --- who could end a wait ----------------------------------------------------------------------------------------------


def describe_wait(fiber):
    """One line for each thing that is known of what a fiber waits for."""
    wait = fiber['wait']
    operation, now = wait['operation']['name'].string(), int(running()['now_'])
    describe = str(wait['describe'])
    lines = []
    if 'Mutex::describe' in describe:
        mutex = wait['subject'].cast(gdb.lookup_type(SIMULATOR + 'Mutex').pointer())
        holder = mutex['holder_']
        lines.append(f'held by thread {int(holder["number"])} since step {int(mutex["held_since_"])}' if int(holder) else 'nobody holds it')
    elif 'ConditionVariable::describe' in describe:
        condition = wait['subject'].cast(gdb.lookup_type(SIMULATOR + 'ConditionVariable').pointer())
        notified = int(condition['notified_'])
        lines.append(f'notified last at step {notified}, which woke {int(condition["woken_by_it_"])}' if notified else 'was never notified')
    elif operation == 'thread.join':
        other = fibers()[int(wait['object'])]
        lines.append(f'thread {int(other["number"])}, which {state_of(other)}')
    elif operation == 'epoll_wait':
        slots = dict(open_descriptors())
        slot = slots.get(int(wait['object']) - 1)
        lines.append(descriptor_text(slot['file'].dereference())[2] if slot is not None else 'its epoll is closed')
    elif '.' not in operation and int(wait['object']):
        slots = dict(open_descriptors())
        slot = slots.get(int(wait['object']) - 1)
        lines.append(', '.join(part for part in descriptor_text(slot['file'].dereference()) if part) if slot is not None else 'its descriptor is closed')
    deadline = int(fiber['deadline'])
    lines.append('no deadline' if deadline == NEVER else f'until {time_text(deadline - now)} from now')
    return lines


# --- the commands ------------------------------------------------------------------------------------------------------


def table(rows):
    """Columns, as wide as they must be; the last one as it is."""
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(len(rows[0]) - 1)] if rows else []
    for row in rows:
        print('  '.join([cell.ljust(width) for cell, width in zip(row, widths)] + [row[-1]]).rstrip())


def heading():
    scheduler = running()
    passed = int(scheduler['now_']) - int(first_field(scheduler['options_']['start'], '__r', '__rep_'))
    print(f'before step {int(scheduler["steps_"])}, {time_text(passed)} after the start')


class Acairo(gdb.Command):
    """A simulated run: acairo help tells more."""

    def __init__(self):
        super().__init__('acairo', gdb.COMMAND_USER, prefix=True)

    def invoke(self, argument, from_tty):
        show_help()


def show_help():
    for command in COMMANDS:
        print(f'  acairo {command.usage:<12} {command.__doc__.splitlines()[0]}')
    print('  and what gdb has: list, up, down, info locals, print, break, watch, continue')


class Command(gdb.Command):
    name, usage, moves = '', '', False

    def __init__(self):
        super().__init__('acairo ' + self.name, gdb.COMMAND_USER)

    def invoke(self, argument, from_tty):
        level = selected_level()
        try:
            self.run(argument.split())
        except gdb.MemoryError as error:
            raise gdb.GdbError(f'acairo {self.name}: {error}')
        finally:
            # Looking at other stacks forgets which frame the user is in.
            if not self.moves and level is not None:
                select_level(level)

    def number(self, words, default=None):
        if not words and default is not None:
            return default
        if len(words) != 1 or not re.fullmatch(r'-?\d+', words[0]):
            raise gdb.GdbError(f'acairo {self.usage}: it wants a number, not "{" ".join(words)}"')
        return int(words[0])


class Threads(Command):
    """the simulated threads, the one that runs first marked with *"""
    name = usage = 'threads'

    def run(self, words):
        heading()
        rows = []
        for fiber in fibers():
            places = [place for place in map(place_of, frames_of(fiber)) if place]
            rows.append(('* ' + str(fiber['number']) if is_current(fiber) else '  ' + str(fiber['number']), who(fiber), state_of(fiber),
                         f'since step {int(fiber["since"])}', text_of(places)))
        table(rows)


class Thread(Command):
    """the stack of a simulated thread; then up, down, frame and info locals are in it"""
    name, usage, moves = 'thread', 'thread N', True

    def run(self, words):
        number, all_fibers = self.number(words), fibers()
        if not 0 <= number < len(all_fibers):
            raise gdb.GdbError(f'acairo thread {number}: there are the threads 0 to {len(all_fibers) - 1}')
        fiber = all_fibers[number]
        print(f'thread {number}, {who(fiber)}, {state_of(fiber)}')
        if not has_a_stack(fiber) and not is_current(fiber):
            return
        STOPPED.show(None if is_current(fiber) else fiber)
        shown = [(frame.level(), short(frame.name() or '?'), place_of(frame)) for frame in frames_of(fiber)]
        own = [at for at, (_, _, place) in enumerate(shown) if place and not of_simulator(place[0])]
        for level, function, place in shown[own[0]:own[-1] + 1] if own else shown:
            print(f'  #{level:<3} {function}' + (f' at {file_of(place[0])}:{place[1]}' if place else ''))
        STOPPED.show(None if is_current(fiber) else fiber)
        select_level(shown[own[0]][0] if own else None)


def selected_level():
    try:
        return gdb.selected_frame().level()
    except gdb.error:
        return None


def select_level(level):
    frame = gdb.newest_frame()
    while frame is not None and level is not None and frame.level() < level:
        frame = frame.older()
    if frame is not None:
        frame.select()


class Tasks(Command):
    """each chain of coroutines, from the one that waits to the root, and the line of the co_await that each is in"""
    name = usage = 'tasks'

    def run(self, words):
        found, others = chains()
        if not found and not others:
            print('no coroutine is alive' if allocations() else
                  'no allocation of the run is known: link the program as core/simulator/simulator.cmake does')
        for number, (address, chain, tasks, ended) in enumerate(found):
            on, state = state_of_chain(address, chain)
            print(f'chain {number}, {on}, {state}')
            thread = thread_of(chain)
            self.list(tasks, fibers()[thread] if int(chain['runner']) and thread is not None else None)
            for task in ended:
                print(f'       and {task.name} at {task.place()}')
        if others:
            print('coroutines of no chain: tasks that nobody has awaited, bridges, and those of other libraries')
            self.list(others)

    @staticmethod
    def list(tasks, leaf_runs_on=None):
        rows = [(f'  #{level:<3}', task.name, task.place(leaf_runs_on if level == 0 else None)) for level, task in enumerate(tasks)]
        table(rows)


class Kernel(Command):
    """the simulated kernel: each descriptor, its state, its bytes, and who watches it"""
    name = usage = 'kernel'

    def run(self, words):
        heading()
        rows = [('fd', 'what', 'state', 'made', '')]
        for number, slot in open_descriptors():
            what, state, more = descriptor_text(slot['file'].dereference())
            rows.append((str(number), what, state, f'at step {int(slot["origin"])}' if int(slot['origin']) else '', more))
        table(rows)
        if len(rows) == 1:
            print('no descriptor is open')


class Waits(Command):
    """what each thread and each chain waits for, and who could end it"""
    name = usage = 'waits'

    def run(self, words):
        heading()
        rows = []
        for fiber in fibers():
            state = name_of(fiber['state'])
            if state == 'waiting':
                rows.append((f'thread {int(fiber["number"])}', operation_of(fiber['wait']), f'since step {int(fiber["since"])}', '; '.join(describe_wait(fiber))))
            elif state != 'ended':
                rows.append((f'thread {int(fiber["number"])}', 'nothing', '', state_of(fiber)))
        for number, (address, chain, tasks, _) in enumerate(chains()[0]):
            on, chain_state = state_of_chain(address, chain)
            rows.append((f'chain {number}', what_chain_waits_for(chain) or 'nothing', '',
                         f'{chain_state.split(":")[0]}, {on}' + (f', in {tasks[0].name} at {tasks[0].place()}' if tasks else '')))
        table(rows)


class Step(Command):
    """goes to the next scheduling step, or N further; N below 0 goes back"""
    name, usage, moves = 'step', 'step [N]', True

    def run(self, words):
        go_to(int(running()['steps_']) + self.number(words, 1))


class Goto(Command):
    """stops before step N, also when it is over: then the run is made again, and is the same"""
    name, usage, moves = 'goto', 'goto N', True

    def run(self, words):
        go_to(max(1, self.number(words)))


class Help(Command):
    """this list"""
    name = usage = 'help'

    def run(self, words):
        show_help()


COMMANDS = [Threads, Thread, Tasks, Kernel, Waits, Step, Goto, Help]


def is_alive():
    return gdb.selected_inferior().pid != 0


def steps_made():
    """0 when no run is under way."""
    try:
        return int(running()['steps_']) if is_alive() else 0
    except gdb.GdbError:
        return 0


def go_to(step):
    STOPPED.show(None)
    if is_alive() and 0 < steps_made() < step:
        gdb.execute(f"set var *(unsigned long*)&'{SIMULATOR}debugger_stops_at' = {step}")
        output = gdb.execute('continue', to_string=True)
    else:
        # gdb.parameter('args') knows nothing of --args.
        arguments = re.search(r'"(repro .*? --here)', gdb.execute('show args', to_string=True))[1]
        gdb.execute(f'set args {arguments} --stop-at {step}')
        output = gdb.execute('run', to_string=True)
    if not is_alive():
        print(f'the run is over: it ended before step {step}')
        return
    frame = gdb.newest_frame()
    if frame.name() is None or 'debugger_stops_here' not in frame.name():
        print('\n'.join(line for line in output.splitlines() if line and not line.startswith(('[', 'Using host'))))
        return
    tell_where()


def tell_where():
    fiber = running()['current_'].dereference()
    places = [place for place in map(place_of, frames_of(fiber)) if place]
    print(f'before step {int(running()["steps_"])}: thread {int(fiber["number"])}, {operation_of(fiber["wait"])}'
          f'   {text_of(places)}')
    frame = gdb.newest_frame()
    while frame is not None and (not place_of(frame) or of_simulator(place_of(frame)[0])):
        frame = frame.older()
    if frame is not None:
        frame.select()


def begin():
    global STOPPED
    for setting in ('confirm off', 'pagination off', 'breakpoint pending on', 'print thread-events off', 'width 0'):
        gdb.execute('set ' + setting)
    STOPPED = Stopped()
    gdb.unwinder.register_unwinder(None, STOPPED, replace=True)
    # What runs again is no stopped fiber's stack.
    gdb.events.cont.connect(lambda event: STOPPED.show(None) if STOPPED.fiber is not None else None)
    Acairo()
    for command in COMMANDS:
        command()
    gdb.Breakpoint(SIMULATOR + 'debugger_stops_here', internal=True).silent = True
    for place in (SIMULATOR + 'Scheduler::fail', '__sanitizer::Die'):
        gdb.execute('break ' + place, to_string=True)


STOPPED = None
begin()
