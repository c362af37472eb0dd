#!/usr/bin/python3
"""Makes mutants of every line of the core: one generated copy that holds them all, each off until it is chosen at run time.

    mutants.py SOURCE OUTPUT    writes OUTPUT/acairo/*, as plant.py does for the museum, OUTPUT/linux/acairo/*, and OUTPUT/mutants.json
    mutants.py --list SOURCE    prints each, with what becomes of what

With the bindings of libclang (Debian's python3-clang-19), over one syntax tree of core/acairo/tcp.cpp, which includes all of the
core, core/linux too. Kinds of mutants:

    removed, swapped       a statement is left out; two that follow one another change places; of `a, b` or `return f();` a part
    unlocked, lock_later   a Lock is not taken for the rest of its block; is taken one statement later
    always, never, negate  a condition, or a result that is a bool, is true, false, or its opposite
    operand, operator      one of two operands is left out; < and <=, == and !=, + and -, & and |, ++ and --, ...
    constant, enumerator   a literal is one more, or one less, or the other bool; a name of an enumeration is the next one
    answer                 a pointer that is returned is null, a number 0
    exchange               std::exchange gives the old value and keeps it
    order                  a memory order is weaker: relaxed, or half of acq_rel

Invariants:
  1. A mutant's name is made of what it changes: file, function, kind, and a hash of the old and the new text and of the statement
     around. No line number is in it: lines may be inserted before, and functions may change places.
  2. With none chosen, the copy does what the shipped core does.
  3. What must be known to the compiler (constant expressions, types, enumerations, declarations, bounds) cannot be chosen at run
     time. Such places are counted, with the reason, and get no mutant; what does not compile is found out by the compiler.
"""
import collections
import hashlib
import json
import pathlib
import re
import subprocess
import sys

from clang import cindex
from clang.cindex import CursorKind, TypeKind

import plant

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'property'))
import join

# Where the core stands, and where its copy.
PLACES = {'core/acairo': 'acairo', 'core/linux/acairo': 'linux/acairo'}
STATEMENT, CONDITION, EXPRESSION, VOID = 'statement', 'condition', 'expression', 'void'
FUNCTIONS = {CursorKind.FUNCTION_DECL, CursorKind.CXX_METHOD, CursorKind.CONSTRUCTOR, CursorKind.DESTRUCTOR,
             CursorKind.CONVERSION_FUNCTION, CursorKind.FUNCTION_TEMPLATE}
CLASSES = {CursorKind.STRUCT_DECL, CursorKind.CLASS_DECL, CursorKind.CLASS_TEMPLATE,
           CursorKind.CLASS_TEMPLATE_PARTIAL_SPECIALIZATION}
LOOPS = {CursorKind.FOR_STMT, CursorKind.CXX_FOR_RANGE_STMT, CursorKind.WHILE_STMT, CursorKind.DO_STMT}
INTEGERS = {TypeKind.INT, TypeKind.UINT, TypeKind.LONG, TypeKind.ULONG, TypeKind.LONGLONG, TypeKind.ULONGLONG, TypeKind.SHORT,
            TypeKind.USHORT, TypeKind.UCHAR, TypeKind.SCHAR, TypeKind.CHAR_S}
# What an operator becomes; an empty text is its left operand alone.
OPERATORS = {'<': ['<='], '<=': ['<'], '>': ['>='], '>=': ['>'], '==': ['!='], '!=': ['=='], '+': ['-', ''], '-': ['+', ''],
             '*': ['/'], '/': ['*'], '%': [''], '|': [''], '&': ['', '|'], '<<': ['>>'], '>>': ['<<']}
ASSIGNMENTS = {'+=': '-=', '-=': '+=', '|=': '&=', '&=': '|='}
ORDERS = {'acquire': ['relaxed'], 'release': ['relaxed'], 'acq_rel': ['relaxed', 'acquire', 'release']}


class Mutant:
    def __init__(self, file, function, kind, category, begin, end, old, new, around):
        self.file, self.function, self.kind, self.category = file, function, kind, category
        self.begin, self.end, self.old, self.new, self.around = begin, end, old, new, around
        self.line = self.name = self.number = None

    def told(self):
        return {'name': self.name, 'number': self.number, 'file': self.file, 'line': self.line, 'function': self.function,
                'kind': self.kind, 'old': ' '.join(self.old.split()), 'new': ' '.join(self.new.split())}


def loaded(source, root='core/acairo/tcp.cpp', arguments=('-Icore', '-Icore/linux')):
    """The mutants of the files beside `root`, and of the core's; and how many places there are that can have none, by reason."""
    if not cindex.Config.loaded:
        cindex.Config.set_library_file('/usr/lib/llvm-19/lib/libclang-19.so.1')
    options = ['-x', 'c++', '-std=c++20'] + [f'-I{source / one[2:]}' if one.startswith('-I') else one for one in arguments]
    unit = cindex.Index.create().parse(str(source / root), args=options)
    errors = [str(one) for one in unit.diagnostics if one.severity >= cindex.Diagnostic.Error]
    if errors:
        raise SystemExit('mutants.py: the core does not compile: ' + errors[0])
    directories = {(source / root).parent, *(source / one for one in PLACES)}
    mutants, fixed = [], collections.Counter()
    for top in unit.cursor.get_children():
        path = pathlib.Path(top.location.file.name) if top.location.file else None
        if path and path.parent in directories:
            walker = Walker(path.relative_to(source).as_posix(), path.read_text())
            walker.visit(top, Context())
            mutants += walker.mutants
            fixed += walker.fixed
    return named(mutants), fixed


def named(mutants):
    """Sorted, each with its name; what stands twice with equal surroundings is told apart by its order."""
    unique = {(m.file, m.begin, m.end, m.category, m.new): m for m in reversed(mutants)}
    mutants = sorted(unique.values(), key=lambda m: (m.file, m.begin, -m.end, m.category, m.new))
    seen = collections.Counter()
    for number, m in enumerate(mutants, 1):
        what = [m.file, m.function, m.kind] + [' '.join(text.split()) for text in (m.old, m.new, m.around)]
        digest = hashlib.sha256(repr(what).encode()).hexdigest()[:8]
        seen[digest] += 1
        again = f'-{seen[digest]}' if seen[digest] > 1 else ''
        m.name = f'{pathlib.Path(m.file).stem}.{m.function}.{m.kind}.{digest}{again}'
        m.number = number
    return mutants


class Context:
    """What is around a cursor: the function, whether it returns nothing, the statement, and why nothing here can change."""

    def __init__(self, function='', is_void=True, around='', fixed=None, condition=False, tail=True):
        self.function, self.is_void, self.around, self.fixed = function, is_void, around, fixed
        self.condition, self.tail = condition, tail

    def but(self, **changes):
        return Context(**{**vars(self), **changes})


class Walker:
    def __init__(self, file, text):
        self.file, self.text, self.mutants, self.fixed = file, text, [], collections.Counter()
        if not text.isascii():
            raise SystemExit(f'mutants.py: {file}: libclang counts bytes: write ASCII only')

    def span(self, cursor):
        return cursor.extent.start.offset, cursor.extent.end.offset

    def of(self, cursor):
        begin, end = self.span(cursor)
        return self.text[begin:end]

    def add(self, context, kind, category, begin, end, *news):
        for new in news:
            if context.fixed:
                self.fixed[context.fixed] += 1
            else:
                m = Mutant(self.file, context.function, kind, category, begin, end, self.text[begin:end], new, context.around)
                m.line = self.text.count('\n', 0, begin) + 1
                self.mutants.append(m)

    def children(self, cursor):
        """In the order of the text, and only what stands inside; not the names of types, which cannot change."""
        begin, end = self.span(cursor)
        inside = [one for one in cursor.get_children()
                  if one.location.file and one.location.file.name.endswith(self.file)
                  and begin <= one.extent.start.offset and one.extent.end.offset <= end and not one.kind.is_reference()]
        return sorted(inside, key=lambda one: (one.extent.start.offset, -one.extent.end.offset))

    # ---- declarations

    def visit(self, cursor, context):
        kind = cursor.kind
        if kind in FUNCTIONS:
            self.function(cursor, context)
        elif kind in (CursorKind.STATIC_ASSERT, CursorKind.ENUM_DECL, CursorKind.CONCEPT_DECL, CursorKind.CXX_METHOD):
            self.deeper(cursor, context.but(fixed='an enumeration, a concept or a static_assert'))
        elif kind in (CursorKind.VAR_DECL, CursorKind.FIELD_DECL, CursorKind.PARM_DECL):
            self.variable(cursor, context)
        elif kind in CLASSES:
            self.deeper(cursor, context.but(function=name_of(cursor), around=''))
        elif kind == CursorKind.COMPOUND_STMT:
            self.block(cursor, context)
        elif kind == CursorKind.LAMBDA_EXPR:
            inside = context.but(tail=True, is_void=not re.search(r'\breturn [^;]|co_return [^;]|->', self.of(cursor)))
            for child in self.children(cursor):
                self.visit(child, inside)
        elif kind.is_statement():
            self.statement_inside(cursor, context)
        elif kind.is_expression():
            self.expression(cursor, context)
        else:
            self.deeper(cursor, context)

    def deeper(self, cursor, context):
        for child in self.children(cursor):
            self.visit(child, context)

    def function(self, cursor, context):
        is_void = cursor.kind in (CursorKind.CONSTRUCTOR, CursorKind.DESTRUCTOR) or \
            cursor.result_type.get_canonical().kind == TypeKind.VOID
        parent = cursor.semantic_parent
        name = re.sub(r'<.*|[^\w~]', '', cursor.spelling)
        function = f'{name_of(parent)}.{name}' if parent.kind in CLASSES else name
        head = self.of(cursor).partition('{')[0]
        fixed = context.fixed or ('a constant expression' if re.search(r'\bconstexpr\b', head) else None)
        inside = context.but(function=function, is_void=is_void, around=' '.join(head.split()), fixed=fixed, tail=True)
        if '[[noreturn]]' in head:
            inside.fixed = 'a function that must not return'
        self.deeper(cursor, inside)

    def variable(self, cursor, context):
        begin, _ = self.span(cursor)
        head = self.text[begin:cursor.location.offset]
        fixed = context.fixed or ('a constant expression' if re.search(r'\bconstexpr\b', head) else None)
        around = ' '.join(self.of(cursor).split())
        for child in self.children(cursor):
            # What stands before the name is the type.
            of_type = child.extent.start.offset < cursor.location.offset
            self.visit(child, context.but(fixed='a type' if of_type else fixed, around=around, condition=False))

    # ---- statements

    def end_of(self, statement):
        """Behind its last character, the semicolon included, which libclang counts only for some."""
        if statement.kind in LOOPS | {CursorKind.IF_STMT} and statement.kind != CursorKind.DO_STMT:
            return self.end_of(self.children(statement)[-1])
        _, end = self.span(statement)
        if statement.kind in (CursorKind.COMPOUND_STMT, CursorKind.CXX_TRY_STMT) or self.text[end - 1] == ';':
            return end
        return self.text.index(';', end) + 1

    def is_plain(self, statement):
        """No declaration, and no jump."""
        if statement.kind in (CursorKind.DECL_STMT, CursorKind.COMPOUND_STMT, CursorKind.NULL_STMT):
            return False
        return not re.search(r'\b(return|break|continue|throw|co_return)\b', uncommented(self.of(statement)))

    def block(self, cursor, context):
        statements = self.children(cursor)
        ends = [self.end_of(one) for one in statements]
        begins = [self.span(one)[0] for one in statements]
        texts = [self.text[begin:end] for begin, end in zip(begins, ends)]
        at = context.but(around=context.around)
        first = 0
        while first < len(statements):
            last = first
            while last < len(statements) and self.is_plain(statements[last]):
                last += 1
            for i in range(first, last - 1):
                order = texts[first:i] + [texts[i + 1], texts[i]] + texts[i + 2:last]
                self.add(at.but(around=texts[i]), 'swapped', STATEMENT, begins[first], ends[last - 1], '\n'.join(order))
            first = last + 1
        for i, one in enumerate(statements):
            if re.match(r'const (detail::)?Lock \w+\(', texts[i]) and i + 1 < len(statements):
                rest = self.text[ends[i]:ends[-1]]
                self.add(at.but(around=texts[i]), 'unlocked', STATEMENT, begins[i], ends[-1], rest)
                if self.is_plain(statements[i + 1]):
                    later = texts[i + 1] + '\n' + texts[i] + self.text[ends[i + 1]:ends[-1]]
                    self.add(at.but(around=texts[i]), 'lock_later', STATEMENT, begins[i], ends[-1], later)
            self.statement(one, context.but(tail=context.tail and i + 1 == len(statements)))

    def statement(self, cursor, context):
        """One that may be left out, and what is inside it."""
        begin, end = self.span(cursor)[0], self.end_of(cursor)
        text = self.text[begin:end]
        context = context.but(around=text if len(text) < 200 else text[:200])
        # Without it, a function that has a result would end without one.
        may_go = context.is_void or not context.tail
        if cursor.kind in (CursorKind.COMPOUND_STMT, CursorKind.DECL_STMT, CursorKind.NULL_STMT, CursorKind.CXX_TRY_STMT):
            pass
        elif re.match(r'(return|co_return)\b', text):
            what = re.sub(r'^(return|co_return)\s*', '', text)
            if not context.tail:
                self.add(context, 'removed', STATEMENT, begin, end, ';')
            if context.is_void and what != ';':
                self.add(context, 'removed', STATEMENT, begin, end, 'return;', *([] if context.tail else [what]))
        elif cursor.kind == CursorKind.IF_STMT or cursor.kind == CursorKind.WHILE_STMT or cursor.kind == CursorKind.DO_STMT:
            pass  # by its condition
        elif may_go:
            self.add(context, 'removed', STATEMENT, begin, end, ';')
        self.visit(cursor, context)

    def parens(self, begin):
        """The place inside the first parentheses from `begin` on."""
        first = self.text.index('(', begin)
        depth, last = 1, first
        while depth:
            last += 1
            depth += {'(': 1, ')': -1}.get(self.text[last], 0)
        return first + 1, last

    def statement_inside(self, cursor, context):
        kind, children = cursor.kind, self.children(cursor)
        begin, end = self.span(cursor)
        if kind == CursorKind.IF_STMT:
            first, last = self.parens(begin)
            is_fixed = re.match(r'if\s+constexpr', self.text[begin:])
            for child in children:
                at, till = self.span(child)
                if first <= at and till <= last:
                    inside = context.but(around=f'if ({self.text[first:last]})', fixed='if constexpr' if is_fixed else context.fixed)
                    if child.kind.is_expression() and at == first and till == last:
                        self.add(inside, 'always', CONDITION, at, till, 'true')
                        self.add(inside, 'never', CONDITION, at, till, 'false')
                        self.add(inside, 'negate', CONDITION, at, till, f'!({self.text[at:till]})')
                        inside.condition = True
                    self.visit(child, inside)
                else:
                    self.statement(child, context)
        elif kind in (CursorKind.WHILE_STMT, CursorKind.DO_STMT):
            body = children[0] if kind == CursorKind.DO_STMT else children[-1]
            for child in children:
                if child == body:
                    self.statement(child, context.but(tail=False))
                    continue
                at, till = self.span(child)
                inside = context.but(around=f'while ({self.text[at:till]})')
                # Not of a condition that declares something.
                if child.kind.is_expression() and (at, till) == self.parens(at - 1):
                    self.add(inside, 'never', CONDITION, at, till, 'false')
                    inside.condition = True
                self.visit(child, inside)
        elif kind in (CursorKind.FOR_STMT, CursorKind.CXX_FOR_RANGE_STMT):
            for child in children[:-1]:
                self.visit(child, context)
            self.statement(children[-1], context.but(tail=False))
        elif kind == CursorKind.RETURN_STMT or re.match(r'co_return\b', self.text[begin:]):
            for child in children:
                self.answer(child, context)
        elif kind in (CursorKind.CXX_TRY_STMT, CursorKind.CXX_CATCH_STMT):
            for child in children:
                self.visit(child, context)
        else:
            self.deeper(cursor, context)

    def answer(self, cursor, context):
        begin, end = self.span(cursor)
        text, kind = self.text[begin:end], cursor.type.get_canonical().kind
        if text in ('true', 'false', 'nullptr', '0') or re.match(r'std::exchange', text):
            pass
        elif kind == TypeKind.BOOL:
            self.add(context, 'always', CONDITION, begin, end, 'true')
            self.add(context, 'never', CONDITION, begin, end, 'false')
            self.add(context, 'negate', CONDITION, begin, end, f'!({text})')
            context = context.but(condition=True)
        elif kind == TypeKind.POINTER:
            self.add(context, 'answer', EXPRESSION, begin, end, 'nullptr')
        elif kind in INTEGERS:
            self.add(context, 'answer', EXPRESSION, begin, end, '0')
        self.visit(cursor, context)

    # ---- expressions

    def expression(self, cursor, context):
        begin, end = self.span(cursor)
        text = self.text[begin:end]
        kind, children = cursor.kind, self.children(cursor)
        same = [one for one in children if self.span(one) == (begin, end)]
        if same:  # a conversion that is not written
            for child in same:
                self.visit(child, context)
            return
        is_condition, context = context.condition, context.but(condition=False)
        if kind == CursorKind.PAREN_EXPR:
            context = context.but(condition=is_condition)
        elif kind == CursorKind.INTEGER_LITERAL and re.fullmatch(r"[\w']+", text):  # a rewritten < has a 0 that is not written
            if text == '0':
                self.add(context, 'constant', EXPRESSION, begin, end, '1')
            elif text[0].isdigit():
                self.add(context, 'constant', EXPRESSION, begin, end, f'{text} + 1', f'{text} - 1')
            else:  # a macro
                self.add(context, 'constant', EXPRESSION, begin, end, f'{text} + 1')
        elif kind == CursorKind.CXX_BOOL_LITERAL_EXPR:
            self.add(context, 'constant', EXPRESSION, begin, end, 'false' if text == 'true' else 'true')
        elif kind == CursorKind.DECL_REF_EXPR:
            self.name(cursor, context, begin, end, text)
        elif kind == CursorKind.CONDITIONAL_OPERATOR:
            at, till = self.span(children[0])
            self.add(context, 'always', CONDITION, at, till, 'true')
            self.add(context, 'never', CONDITION, at, till, 'false')
            self.visit(children[0], context.but(condition=True))
            children = children[1:]
        elif kind == CursorKind.CALL_EXPR and (found := re.match(r'std::(exchange|min|max)\b[^(]*\(', text)) and len(children) > 2:
            first, second = self.of(children[-2]), self.of(children[-1])
            kept = (first,) if found[1] == 'exchange' else (first, second)
            self.add(context, 'exchange' if found[1] == 'exchange' else 'operand', EXPRESSION, begin, end, *kept)
        elif re.match(r'(requires|sizeof|alignof|decltype|noexcept)\b', text):
            context = context.but(fixed='an expression that is not evaluated')
        else:
            self.operator(cursor, context, children, is_condition)
        for child in children:
            self.visit(child, context)

    def name(self, cursor, context, begin, end, text):
        target = cursor.referenced
        if target is None:
            return
        order = re.search(r'memory_order_(\w+)$', text)
        if order:
            news = [text[:order.start(1)] + one for one in ORDERS.get(order[1], [])]
            self.add(context, 'order', EXPRESSION, begin, end, *news)
        elif target.kind == CursorKind.ENUM_CONSTANT_DECL and target.location.file.name.endswith(pathlib.Path(self.file).suffix) and \
                '/acairo/' in target.location.file.name:
            all_of_it = [one.spelling for one in target.semantic_parent.get_children() if one.kind == CursorKind.ENUM_CONSTANT_DECL]
            following = all_of_it[(all_of_it.index(target.spelling) + 1) % len(all_of_it)]
            self.add(context, 'enumerator', EXPRESSION, begin, end, text.removesuffix(target.spelling) + following)

    def operator(self, cursor, context, children, is_condition):
        begin, end = self.span(cursor)
        text = self.text[begin:end]
        first = next((one for one in children if self.span(one)[0] == begin), None)
        last = next((one for one in reversed(children) if self.span(one)[1] == end), None)
        if first is not None and last is not None and self.span(first)[1] < self.span(last)[0]:
            left, right = self.of(first), self.of(last)
            sign = uncommented(self.text[self.span(first)[1]:self.span(last)[0]]).strip()
            canonical = cursor.type.get_canonical()
            if sign == ',':
                self.add(context, 'removed', VOID, *self.span(first), 'void()')
            elif sign in ('&&', '||'):
                for one in (first, last):
                    self.add(context, 'operand', CONDITION, *self.span(one), 'true' if sign == '&&' else 'false')
            elif sign in ASSIGNMENTS:
                self.add(context, 'operator', EXPRESSION, begin, end, f'{left} {ASSIGNMENTS[sign]} {right}')
            elif sign in OPERATORS and not (is_condition and sign in ('==', '!=')) and 'basic_string' not in canonical.spelling \
                    and not (canonical.kind == TypeKind.POINTER and sign in '+-'):
                for other in OPERATORS[sign]:
                    self.add(context, 'operator' if other else 'operand', EXPRESSION, begin, end, f'{left} {other} {right}' if other else left)
                if sign == '|':
                    self.add(context, 'operand', EXPRESSION, begin, end, right)
        elif cursor.kind == CursorKind.UNARY_OPERATOR and len(children) == 1:
            inner = self.of(children[0])
            sign = text.replace(inner, '', 1).strip()
            if sign in ('++', '--'):
                self.add(context, 'operator', EXPRESSION, begin, end, text.replace(sign, '--' if sign == '++' else '++'))
            elif sign == '!' and not is_condition:
                self.add(context, 'negate', CONDITION, begin, end, inner)
            elif sign in ('-', '~'):
                self.add(context, 'operand', EXPRESSION, begin, end, inner)
        elif cursor.type.get_canonical().kind == TypeKind.BOOL and (rewritten := compared(text)):
            # The compiler makes `a < b` of `a <=> b`, and the tree has no place for its parts.
            left, sign, right = rewritten
            if not (is_condition and sign in ('==', '!=')):
                self.add(context, 'operator', EXPRESSION, begin, end, f'{left} {OPERATORS[sign][0]} {right}')


def compared(text):
    """`left < right` in its three parts, when that is all that there is."""
    parts, depth, begin = [], 0, 0
    for found in re.finditer(r'[(\[{]|[)\]}]| (<=|>=|<|>|==|!=|&&|\|\||\?) ', text):
        depth += {'(': 1, '[': 1, '{': 1, ')': -1, ']': -1, '}': -1}.get(found[0], 0)
        if depth == 0 and found[1]:
            parts += [text[begin:found.start()], found[1]]
            begin = found.end()
    return (*parts, text[begin:]) if len(parts) == 2 and parts[1] in OPERATORS else None


def name_of(cursor):
    return re.sub(r'<.*', '', cursor.spelling) or 'anonymous'


def uncommented(text):
    return re.sub(r'//[^\n]*', '', text)


def copied(source, output, mutants):
    """The copy of the core that holds them; each alternative on lines of its own that end with its number: see `blamed`."""
    files = collections.defaultdict(list)
    for m in mutants:
        files[m.file].append(m)
    for path in sorted(path for one in PLACES for path in (source / one).glob('*')):
        file = path.relative_to(source).as_posix()
        places = {}
        for m in files.get(file, []):
            places.setdefault((m.begin, -m.end, (STATEMENT, CONDITION, EXPRESSION, VOID).index(m.category)), []).append(m)
        text = plant.nested(path.read_text(), file, places, chosen)
        plant.write(output / PLACES[str(pathlib.PurePath(file).parent)] / path.name, plant.headed(text))
    plant.write(output / 'acairo/planted.hpp', plant.PLANTED)
    # For whoever runs properties; and for the tests that know of no plants, by the environment.
    rows = ''.join(f'    {{"{m.name}", "", "", {m.number}}},\n' for m in mutants)
    plant.write(output / 'acairo/plants.cpp', plant.registered(rows))
    plant.write(output / 'acairo/chosen.cpp', CHOSEN)
    told = json.dumps([m.told() for m in mutants], indent=1)
    plant.write(output / 'mutants.json', told + '\n')


def write_joined(sources, output, name, count):
    """The core's functions, long with mutants, are then compiled a few times only."""
    for path, text in join.joined(sources, output, name, count).items():
        plant.write(path, text)


CHOSEN = '''#include <acairo/planted.hpp>
#include <cstdlib>

int acairo_planted_bug = std::getenv("ACAIRO_MUTANT") ? std::atoi(std::getenv("ACAIRO_MUTANT")) : 0;
'''


def chosen(span, old, mutants):
    """What stands at a place in the copy."""
    category = mutants[0].category

    def marked(m, text):
        return ''.join(f'\n{line} //@{m.number}' for line in text.split('\n'))

    if category == STATEMENT:
        choice = f'{{\n{old}\n}}'
        for m in reversed(mutants):
            choice = marked(m, f'if (::acairo_planted_bug == {m.number}) {{\n{m.new}') + '\n}\nelse ' + choice
        return f'{{ {choice} }}'
    cast = {CONDITION: 'static_cast<bool>', VOID: 'static_cast<void>'}.get(category, '')
    choice = f'{cast}({old})'
    for m in reversed(mutants):
        choice = marked(m, f'(::acairo_planted_bug == {m.number} ?\n{cast}({m.new})') + f'\n: {choice})'
    return choice


def compiled(source, output, mutants):
    """Writes the copy of those that compile; returns these, and the others."""
    properties = sorted((source / 'property/properties').glob('*.cpp'))
    write_joined(properties, output, 'properties', 3)
    for name, directory, count in (('property', 'property', 4), ('scripted', 'property/scripted', 2), ('counts', 'property/counts', 1),
                                   ('stack', 'property/stack', 1)):
        write_joined(sorted((source / directory).glob('*_test.cpp')), output, f'{name}_tests', count)
    left = mutants
    # What was found out before, of the same mutants and properties, is kept.
    told = hashlib.sha256(repr([m.told() for m in mutants]).encode() + b''.join(path.read_bytes() for path in properties)).hexdigest()
    kept = output / 'not-compiled.json'
    if kept.is_file() and (known := json.loads(kept.read_text()))['of'] == told:
        left = [m for m in mutants if m.name not in known['names']]
        copied(source, output, left)
        return left, [m for m in mutants if m not in left]
    while True:
        copied(source, output, left)
        errors = ''
        for world, files in (('core/simulator', sorted(output.glob('properties_*.cpp'))), ('core/linux', [output / 'acairo/tcp.cpp'])):
            for file in files:
                command = ['clang++-19', '-std=c++20', '-fsyntax-only', '-w', '-Wno-c++11-narrowing', '-ferror-limit=0',
                           '-fno-caret-diagnostics', f'-I{output}', f'-I{output / world.removeprefix("core/")}',
                           f'-I{source / world}', f'-I{source / "core"}',
                           f'-I{source / "property/properties"}', str(file)]
                errors += subprocess.run(command, stderr=subprocess.PIPE, text=True).stderr
        numbers = blamed(output, errors)
        if not errors:
            kept.write_text(json.dumps({'of': told, 'names': [m.name for m in mutants if m not in left]}))
            return left, [m for m in mutants if m not in left]
        if not numbers:
            raise SystemExit('mutants.py: no mutant is to blame for this, but the copy does not compile:\n' + errors)
        left = [m for m in left if m.number not in numbers]


def blamed(output, errors):
    """The numbers of the mutants on whose lines the compiler found an error."""
    numbers = set()
    lines = {}
    for file, line in re.findall(r'^(\S+?):(\d+):\d+: (?:fatal )?error:', errors, re.MULTILINE):
        path = pathlib.Path(file)
        if path.parent not in [output / one for one in PLACES.values()]:
            continue
        if path not in lines:
            lines[path] = path.read_text().split('\n')
        mark = re.search(r'//@(\d+)$', lines[path][int(line) - 1])
        if mark:
            numbers.add(int(mark[1]))
    return numbers


def main():
    if len(sys.argv) == 3 and sys.argv[1] == '--list':
        mutants, fixed = loaded(pathlib.Path(sys.argv[2]).resolve())
        for m in mutants:
            told = m.told()
            print(f'{m.name}  {m.file}:{m.line}: {told["old"][:100]} ==> {told["new"][:100]}')
        print(f'{len(mutants)} mutants; places that can have none: ' + ', '.join(f'{n} {why}' for why, n in fixed.most_common()))
        return
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    source, output = (pathlib.Path(one).resolve() for one in sys.argv[1:])
    good, bad = compiled(source, output, loaded(source)[0])
    print(f'{len(good)} mutants in {output}, {len(bad)} that do not compile')


if __name__ == '__main__':
    main()
