# SPDX-License-Identifier: MIT
"""
Arguments by chance, millions of them, for the obligations' calls: the domain's C is compiled together with all its mutants, and
the obligations' claims with it. What is found is only a hint: that a claim fails there is for the solver to say (prove.refuted).
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import z3
from pycparser import c_ast, c_generator

from proof import csource
from proof.cvalue import IntType, Pointer, StructType, Value, VoidType
from proof.prove import Case, Obligation, widths

HERE = Path(__file__).parent
FLAGS = ["-std=gnu89", "-O1", "-w", "-fno-strict-aliasing", "-fsanitize=shift,signed-integer-overflow", "-shared", "-fPIC"]
MAX_VARIABLES = 512

# -- z3 terms as C over u64 --------------------------------------------------------------------------------------------

INFIX = {z3.Z3_OP_BADD: "+", z3.Z3_OP_BSUB: "-", z3.Z3_OP_BMUL: "*", z3.Z3_OP_BAND: "&", z3.Z3_OP_BOR: "|", z3.Z3_OP_BXOR: "^"}
ORDER = {
    z3.Z3_OP_ULEQ: "<=",
    z3.Z3_OP_ULT: "<",
    z3.Z3_OP_UGEQ: ">=",
    z3.Z3_OP_UGT: ">",
    z3.Z3_OP_SLEQ: "<=",
    z3.Z3_OP_SLT: "<",
    z3.Z3_OP_SGEQ: ">=",
    z3.Z3_OP_SGT: ">",
}
SIGNED = {z3.Z3_OP_SLEQ, z3.Z3_OP_SLT, z3.Z3_OP_SGEQ, z3.Z3_OP_SGT}
LOGIC = {z3.Z3_OP_AND: " && ", z3.Z3_OP_OR: " || "}


class Writer:
    """Terms become assignments to temporaries, in order; @names has what stands for the variables."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names, self.lines = names, []
        self.known: dict[int, str] = {}

    def write(self, term: Any) -> str:
        key = term.get_id()
        if key not in self.known:
            if z3.is_bv(term) and term.size() > 64:
                raise ValueError(f"no C for a number of {term.size()} bits")
            made = self._expression(term, term.decl().kind(), [self.write(child) for child in term.children()])
            if z3.is_bv(term) and term.size() < 64:
                made = f"({made}) & {(1 << term.size()) - 1:#x}ULL"
            name = f"t{len(self.lines)}"
            self.lines.append(f"u64 {name} = {made};")
            self.known[key] = name
        return self.known[key]

    def _expression(self, term: Any, kind: int, args: list[str]) -> str:
        width = term.arg(0).size() if args and z3.is_bv(term.arg(0)) else 0
        if kind == z3.Z3_OP_BNUM:
            return f"{term.as_long():#x}ULL"
        if kind == z3.Z3_OP_UNINTERPRETED:
            return f"times({args[0]}, {args[1]})" if args else self.names[str(term)]
        if kind in INFIX:
            return INFIX[kind].join(args)
        if kind in SIGNED:
            args = [f"(s64)sign_extended({arg}, {width})" for arg in args]
        if kind in ORDER:
            return ORDER[kind].join(args)
        if kind in LOGIC:
            return LOGIC[kind].join(args)
        if kind == z3.Z3_OP_CONCAT:
            made = args[0]
            for child, arg in zip(term.children()[1:], args[1:], strict=True):
                made = f"({made} << {child.size()} | {arg})"
            return made
        table = {
            z3.Z3_OP_TRUE: lambda: "1",
            z3.Z3_OP_FALSE: lambda: "0",
            z3.Z3_OP_BNOT: lambda: f"~{args[0]}",
            z3.Z3_OP_BNEG: lambda: f"-{args[0]}",
            z3.Z3_OP_NOT: lambda: f"!{args[0]}",
            z3.Z3_OP_EQ: lambda: f"{args[0]} == {args[1]}",
            z3.Z3_OP_DISTINCT: lambda: f"{args[0]} != {args[1]}",
            z3.Z3_OP_IMPLIES: lambda: f"!{args[0]} || {args[1]}",
            z3.Z3_OP_ITE: lambda: f"{args[0]} ? {args[1]} : {args[2]}",
            z3.Z3_OP_EXTRACT: lambda: f"{args[0]} >> {term.params()[1]}",
            z3.Z3_OP_ZERO_EXT: lambda: args[0],
            z3.Z3_OP_SIGN_EXT: lambda: f"sign_extended({args[0]}, {width})",
            z3.Z3_OP_BSHL: lambda: f"shifted_left({args[0]}, {args[1]}, {width})",
            z3.Z3_OP_BLSHR: lambda: f"shifted_right({args[0]}, {args[1]}, {width})",
            z3.Z3_OP_BASHR: lambda: f"(s64)sign_extended({args[0]}, {width}) >> ({args[1]} < {width} ? {args[1]} : {width - 1})",
        }
        if kind not in table:
            raise ValueError(f"no C for {term.decl()}")
        return table[kind]()


# -- obligations without their C --------------------------------------------------------------------------------------


@dataclass
class Call:
    function: str
    args: list[Value]
    before: dict[str, Value]


class Recorder:
    """Stands in for the calls of an obligation: keeps what each is given, and makes up what comes out, under names of its own."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.results: dict[str, str] = {}  # the made-up variables, and what they are in `struct outs`
        self.objects: list[str] = []

    def __call__(self, case: Case, function: str, args: list[Value]) -> Value:
        index = len(self.calls)
        self.calls.append(Call(function, args, dict(case.state.memory)))
        for arg in args:
            if isinstance(arg.term, Pointer) and arg.term.target not in self.objects:
                self.objects.append(arg.term.target)
        for name in self.objects:
            kind = case.state.memory[name].kind
            case.state.memory[name] = self._made(kind, f"out->o[{self.objects.index(name)}]")
        machine = case.machine
        kind = machine.type_of(machine.source.functions[function].decl.type.type)
        if isinstance(kind, VoidType):
            return Value(kind)
        return self._made(kind, "out->t" if isinstance(kind, StructType) else f"out->r[{index}]")

    def _made(self, kind: Any, place: str) -> Value:
        if isinstance(kind, StructType):
            return Value(kind, {name: self._made(inner, f"{place}.{name}") for name, inner in kind.fields})
        self.results[place] = f"(u64)({place})"
        return Value(kind, truth=z3.BitVec(place, 8) != 0) if kind.is_bool else Value(kind, z3.BitVec(place, kind.width))


def leaves(value: Value) -> Iterable[Value]:
    if isinstance(value.kind, StructType):
        for name, _ in value.kind.fields:
            yield from leaves(value.term[name])
    else:
        yield value


class Harness:
    """The C for one obligation's claims."""

    def __init__(self, obligation: Obligation, index: int) -> None:
        self.index, recorder = index, Recorder()
        source = csource.load()
        case = obligation.build(source.standing_in(recorder))
        self.claims = [claim for claim in case.claims if claim.given is None]
        made = [(kind, [str(leaf.term) for leaf in leaves(value)], members) for kind, value, members in case.made]
        given = [leaf for call in recorder.calls for one in [*call.args, *call.before.values()] for leaf in self._numbers(one)]
        terms = [*case.always, *case.members, *(claim.term for claim in self.claims), *(leaf.term for leaf in given)]
        defined = {str(name): term for name, term in case.defined}
        width_of = {name: width for name, width in widths([*terms, *defined.values()]).items() if name not in recorder.results}
        in_structs = [name for _, names, _ in made for name in names]
        self.names = in_structs + [name for name in sorted(width_of) if name not in in_structs]
        if len(self.names) > MAX_VARIABLES:
            raise ValueError(f"{obligation.name}: too many variables")
        place = {name: f"v[{at}]" for at, name in enumerate(self.names)}
        lines = [f"static void fill{index}(u64 *v)", "{"]
        plain = [name for name in self.names if name not in in_structs and name not in defined]
        first = "x" if "x" in plain else plain[0] if plain else None
        for name in sorted(plain, key=lambda name: name != first):
            how = "number()" if name == first else f"below(2) ? near({place[first]}) : number()"
            width = width_of[name]
            if width < 16:
                how = f"below(4) ? below(70) : ({how})"
            lines.append(f"{place[name]} = ({how})" + (f" & {(1 << width) - 1:#x}ULL;" if width < 64 else ";"))
        for kind, names, members in made:
            of = [place[str(member)] for member in members][:2]
            lines.append(f"make_{kind}(&{place[names[0]]}, {len(of)}, {', '.join([*of, '0', '0'][:2])});")
        writer = Writer(place)
        for name, term in defined.items():
            done = len(writer.lines)
            value = writer.write(term)
            lines += [*writer.lines[done:], f"{place[name]} = {value};"]
        self.text = [*lines, "}", *self._call(recorder, place), *self._assumed(case, place)]
        writer = Writer({**place, **recorder.results})
        self.text += [f"static int broken{index}(const u64 *v, const struct outs *out, int members)", "{"]
        for at, claim in enumerate(self.claims):
            done = len(writer.lines)
            value = writer.write(claim.term)
            test = f"if ({'members && ' if claim.members_only else ''}!{value}) return {at + 1};"
            self.text += [*writer.lines[done:], test]
        self.text += ["return 0;", "}"]
        functions = source.functions[recorder.calls[0].function].decl.type
        result = case.machine.type_of(functions.type)
        counts = (
            len(self.names),
            len(recorder.objects),
            0 if isinstance(result, VoidType | StructType) else len(recorder.calls),
            int(isinstance(result, StructType)),
            int(isinstance(result, IntType) and result.signed),
        )
        handlers = ", ".join(f"{name}{index}" for name in ("fill", "call", "assumed", "broken"))
        self.entry = f"{{ {handlers}, {', '.join(map(str, counts))} }},"

    @staticmethod
    def _numbers(value: Value) -> list[Value]:
        return [] if isinstance(value.term, Pointer) else list(leaves(value))

    def _call(self, recorder: Recorder, place: dict[str, str]) -> list[str]:
        lines = [f"static void call{self.index}(const u64 *v, struct outs *out)", "{"]
        writer = Writer(place)

        def fill(target: str, value: Value) -> None:
            if isinstance(value.kind, StructType):
                for name, _ in value.kind.fields:
                    fill(f"{target}.{name}", value.term[name])
                return
            done = len(writer.lines)
            written = writer.write(value.term)
            lines.extend([*writer.lines[done:], f"{target} = {written};"])

        for at, name in enumerate(recorder.objects):
            fill(f"out->o[{at}]", recorder.calls[0].before[name])
        for at, call in enumerate(recorder.calls):
            args = []
            for number, arg in enumerate(call.args):
                if isinstance(arg.term, Pointer):
                    args.append(f"&out->o[{recorder.objects.index(arg.term.target)}]")
                elif isinstance(arg.kind, StructType):
                    lines.append(f"struct {arg.kind.name} a{at}_{number};")
                    fill(f"a{at}_{number}", arg)
                    args.append(f"a{at}_{number}")
                else:
                    done = len(writer.lines)
                    args.append(writer.write(arg.term))
                    lines += writer.lines[done:]
            kind = csource.load().functions[call.function].decl.type.type
            void = isinstance(kind.type, c_ast.IdentifierType) and kind.type.names == ["void"]
            to = "" if void else "out->t = " if isinstance(kind.type, c_ast.Struct) else f"out->r[{at}] = "
            lines.append(f"{to}{call.function}({', '.join(args)});")
        return [*lines, "}"]

    def _assumed(self, case: Case, place: dict[str, str]) -> list[str]:
        lines = [f"static int assumed{self.index}(const u64 *v)", "{"]
        writer = Writer(place)
        for terms, otherwise in ((case.always, 0), (case.members, 1)):
            for term in terms:
                done = len(writer.lines)
                value = writer.write(term)
                lines += [*writer.lines[done:], f"if (!{value}) return {otherwise};"]
        return [*lines, "return 3;", "}"]


# -- the functions with all their mutants -----------------------------------------------------------------------------


def renamed(body: c_ast.FuncDef, name: str) -> str:
    text = c_generator.CGenerator().visit(body)
    head, brace, rest = text.partition("{")
    before, _, params = head.partition(f"{body.decl.name}(")
    return f"static {before.replace('static ', '')}{name}({params}{brace}{rest}"


def functions_with(bodies: Sequence[tuple[str, c_ast.FuncDef]]) -> str:
    """@bodies: the mutants, by function; each function's name leads to the one that `mutant` says, counted from 1."""
    source = csource.load()
    numbers: dict[str, list[tuple[int, c_ast.FuncDef]]] = {name: [] for name in source.functions}
    for number, (function, body) in enumerate(bodies, 1):
        numbers[function].append((number, body))
    lines = [c_generator.CGenerator().visit(body.decl) + ";" for body in source.functions.values()]
    for function, body in source.functions.items():
        lines.append(renamed(body, f"{function}__0"))
        args = body.decl.type.args
        names = ", ".join(param.name for param in args.params if param.name) if args else ""
        kind = body.decl.type.type.type
        void = isinstance(kind, c_ast.IdentifierType) and kind.names == ["void"]
        back, after = ("", "return;") if void else ("return ", "")
        head = c_generator.CGenerator().visit(body.decl)
        cases = []
        for number, changed in numbers[function]:
            lines.append(renamed(changed, f"{function}__{number}"))
            cases.append(f"case {number}: {back}{function}__{number}({names}); {after}")
        default = f"default: {back}{function}__0({names}); {after}"
        lines.append(f"{head} {{ switch (mutant) {{ {' '.join(cases)} {default} }} }}")
    return "\n".join(lines)


DRIVER = """
static const struct table_entry table[] = {
%s
};

/* Tries @count arguments on each of the obligations; of the first that breaks a claim, its place among them, or -1. */
int hunt(int which, const int *obligations, int number, u64 count, u64 start, u64 *v, int *claim)
{
	struct outs out;
	u64 turn;
	int i, assumed, was;

	seed = start;
	for (i = 0; i < number; i++) {
		const struct table_entry *e = &table[obligations[i]];

		for (turn = 0; turn < count; turn++) {
			e->fill(v);
			assumed = e->assumed(v);
			if (!assumed)
				continue;
			__builtin_memset(&out, 0, sizeof(out));
			mutant = which;
			undefined = 0;
			e->call(v, &out);
			mutant = 0;
			was = undefined;
			*claim = was ? 0 : e->broken(v, &out, assumed == 3);
			if (was || *claim)
				return i;
		}
	}
	return -1;
}

/* How its results compare with the original's: counts of those that are the same, know less, and know more or other things. */
void compare(int which, const int *obligations, int number, u64 count, u64 start, u64 *counts, u64 *v, int *where)
{
	struct outs was, now;
	u64 turn;
	int i, found;

	seed = start;
	for (i = 0; i < number; i++) {
		const struct table_entry *e = &table[obligations[i]];

		for (turn = 0; turn < count; turn++) {
			e->fill(v);
			if (e->assumed(v) != 3)
				continue;
			__builtin_memset(&was, 0, sizeof(was));
			now = was;
			mutant = 0;
			e->call(v, &was);
			mutant = which;
			e->call(v, &now);
			mutant = 0;
			found = relation(e, &was, &now);
			counts[found]++;
			if (found == MORE) {
				*where = i;
				return;
			}
		}
	}
}
"""


@dataclass(frozen=True)
class Hit:
    """Where a claim seems to fail: the arguments' values by variable. Without a claim: something undefined happens."""

    obligation: str
    claim: str
    values: dict[str, int]


@dataclass(frozen=True)
class Compared:
    """Results on arguments that stand for some number, against the original's."""

    same: int
    less: int
    more: int  # the first ends the comparison
    obligation: str
    values: dict[str, int]


class Sampler:
    def __init__(self, obligations: Sequence[Obligation], bodies: Sequence[tuple[str, c_ast.FuncDef]]) -> None:
        self.harnesses = [Harness(one, index) for index, one in enumerate(obligations)]
        self.places = {one.name: index for index, one in enumerate(obligations)}
        self.obligations = list(obligations)
        text = ['#include "sampler.h"', functions_with(bodies), *("\n".join(one.text) for one in self.harnesses)]
        text.append(DRIVER % "\n".join(one.entry for one in self.harnesses))
        with tempfile.TemporaryDirectory() as folder:
            source, library = Path(folder, "sampler.c"), Path(folder, "sampler.so")
            source.write_text("\n".join(text))
            command = ["gcc", *FLAGS, f"-I{csource.REPO}", f"-I{HERE}", "-DBC_TRACE", "-o", str(library), str(source)]
            done = subprocess.run(command, text=True, capture_output=True)
            if done.returncode:
                raise csource.SourceError(done.stderr[:2000])
            self.library = ctypes.CDLL(str(library))

    def _arguments(self, names: Sequence[str], count: int, seed: int) -> tuple[Any, ...]:
        places = (ctypes.c_int * len(names))(*(self.places[name] for name in names))
        return places, len(names), ctypes.c_uint64(count), ctypes.c_uint64(seed)

    def _values(self, name: str, values: Any) -> dict[str, int]:
        return {variable: values[at] for at, variable in enumerate(self.harnesses[self.places[name]].names)}

    def hunt(self, mutant: int, names: Sequence[str], count: int, seed: int) -> Hit | None:
        """An argument of those obligations' calls, of @count each, on which the mutant (0: the original) breaks a claim."""
        values, claim = (ctypes.c_uint64 * MAX_VARIABLES)(), ctypes.c_int()
        at = self.library.hunt(mutant, *self._arguments(names, count, seed), values, ctypes.byref(claim))
        if at < 0:
            return None
        harness = self.harnesses[self.places[names[at]]]
        label = harness.claims[claim.value - 1].label if claim.value else ""
        return Hit(names[at], label, self._values(names[at], values))

    def compare(self, mutant: int, names: Sequence[str], count: int, seed: int) -> Compared:
        values, counts, where = (ctypes.c_uint64 * MAX_VARIABLES)(), (ctypes.c_uint64 * 3)(), ctypes.c_int()
        self.library.compare(mutant, *self._arguments(names, count, seed), counts, values, ctypes.byref(where))
        name = names[where.value] if counts[2] else ""
        return Compared(counts[0], counts[1], counts[2], name, self._values(name, values) if name else {})
