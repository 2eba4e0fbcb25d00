# SPDX-License-Identifier: MIT
"""From an object file to what BPF_PROG_LOAD takes: a program with the functions that it calls behind it, every reference to
maps, data, externs and the kernel's types filled in."""

import struct
from typing import Dict, List, NamedTuple, Optional, Tuple

from bpfcompat.btf import blob
from bpfcompat.check import core, kconfig, maps
from bpfcompat.check.object import INSN, Extern, Function, Object, ObjectError, Symbol, is_data
from bpfcompat.check.types import Types

CALL, LD_IMM64 = 0x85, 0x18
PSEUDO_MAP_FD, PSEUDO_MAP_VALUE, PSEUDO_BTF_ID, PSEUDO_FUNC = 1, 2, 3, 4
PSEUDO_CALL, PSEUDO_KFUNC = 1, 2
# Stands for the address of a kernel's symbol that has no type: any value that is not 0 does, for programs cannot look at it.
SOME_ADDRESS = 0xFFFFFFFF81000000


class LinkError(Exception):
    """A reference that leads nowhere; the message is for the user."""


class Loadable(NamedTuple):
    """A program ready to be verified."""

    function: Function
    code: bytes
    func_info: bytes
    line_info: bytes


class Linker:
    """Links programs of one object for one kernel. @kernel_types None: nothing is known of the kernel's types."""

    def __init__(self, obj: Object, kernel_types: Optional[Types], kernel: kconfig.Kernel) -> None:
        self.obj, self.kernel_types, self.kernel = obj, kernel_types, kernel
        self.notes = []  # type: List[str]
        self._kconfig_at = {}  # type: Dict[str, int]
        self._map_fds = {}  # type: Dict[str, int]
        self._apply_core()

    def _apply_core(self) -> None:
        if self.obj.types is None or not self.obj.core:
            return
        nothing = Types(blob.Blob(_EMPTY_BTF))
        resolver = core.Resolver(self.obj.types, self.kernel_types or nothing)
        for section, relocations in self.obj.core.items():
            code = self.obj.code.get(section)
            for relocation in relocations if code is not None else ():
                assert code is not None
                try:
                    answer = resolver.resolve(relocation)
                    core.patch(code, relocation.insn_off, answer, self.obj.types, resolver.kernel)
                except core.CoreError as error:
                    raise LinkError("relocation of {}: {}".format(section, error))
                except (IndexError, struct.error):
                    raise LinkError("relocation {} of {} is malformed".format(resolver.describe(relocation), section))
                if answer.value is None:
                    self.notes.append("{} of {} is not in the kernel's types".format(resolver.describe(relocation), section))

    # -- maps --

    def map_defs(self) -> List[maps.MapDef]:
        """All maps to be made, that of the kernel's configuration among them."""
        found, data = list(self.obj.maps), b""
        wanted = [extern for extern in self.obj.externs.values() if extern.section == ".kconfig"]
        if wanted:
            assert self.obj.types is not None
            for var, offset, _ in self.obj.types.datasec(".kconfig"):
                extern = self.obj.externs[self.obj.types.name(var)]
                self._kconfig_at[extern.name] = offset
                data = data.ljust(offset, b"\0") + self._kconfig_value(extern)
            section = self.obj.types.blob.find(blob.DATASEC, ".kconfig")
            found.append(maps.of_data(".kconfig", data, section.id if section else 0))
        return found

    def _kconfig_value(self, extern: Extern) -> bytes:
        assert self.obj.types is not None
        kernel_types = self.kernel_types or Types(blob.Blob(_EMPTY_BTF))
        try:
            return kconfig.value(extern.name, self.obj.types, extern.type, extern.weak, self.kernel, kernel_types)
        except kconfig.KconfigError as error:
            raise LinkError(str(error))

    def set_maps(self, fds: Dict[str, int]) -> None:
        self._map_fds = fds

    # -- programs --

    def link(self, function: Function) -> Loadable:
        """The program and all that it calls, in the order of the calls, each once."""
        code = bytearray()
        places = {}  # type: Dict[Tuple[str, int], int]
        parts = []  # type: List[Tuple[Function, int]]
        # Depth first, as each call is come upon: a generator a function, so that deep chains do not recurse.
        stack = [self._place(function, code, places, parts)]
        while stack:
            try:
                callee = next(stack[-1])
            except StopIteration:
                stack.pop()
                continue
            if (callee.section, callee.start) not in places:
                stack.append(self._place(callee, code, places, parts))
        self._fill_in(code, places, parts)
        func_info, line_info = self._infos(parts)
        return Loadable(function, bytes(code), func_info, line_info)

    def _place(self, function, code, places, parts):
        """Appends a function; yields those that it refers to."""
        at = len(code) // INSN
        places[function.section, function.start] = at
        parts.append((function, at))
        source = self.obj.code[function.section]
        code += source[function.start * INSN : (function.start + function.count) * INSN]
        for index in range(function.start, function.start + function.count):
            callee = self._callee(function.section, index)
            if callee is not None:
                yield callee

    def _callee(self, section: str, index: int) -> Optional[Function]:
        """The function that an instruction calls or takes the address of."""
        opcode, regs, _, imm = struct.unpack_from("<BBhi", self.obj.code[section], index * INSN)
        symbol = self.obj.relocations.get(section, {}).get(index)
        source = regs >> 4
        if opcode == CALL and source == PSEUDO_CALL:
            if symbol is None:
                place, start = section, index + 1 + imm
            elif symbol.section in self.obj.code:
                place, start = symbol.section, symbol.value // INSN + imm + 1
            else:
                return None
        elif opcode == LD_IMM64 and symbol is not None and symbol.section in self.obj.code:
            place, start = symbol.section, (symbol.value + imm) // INSN
        else:
            return None
        found = self.obj.function_at(place, start)
        if found is None or found.start != start:
            raise LinkError("instruction {} of {} calls what is no function".format(index, section))
        return found

    def _fill_in(self, code: bytearray, places: Dict[Tuple[str, int], int], parts: List[Tuple[Function, int]]) -> None:
        for function, base in parts:
            for offset in range(function.count):
                index, at = function.start + offset, base + offset
                callee = self._callee(function.section, index)
                if callee is not None:
                    opcode, regs = code[at * INSN], code[at * INSN + 1]
                    kind = PSEUDO_CALL if opcode == CALL else PSEUDO_FUNC
                    distance = places[callee.section, callee.start] - at - 1
                    struct.pack_into("<BBhi", code, at * INSN, opcode, regs & 0xF | kind << 4, 0, distance)
                    continue
                symbol = self.obj.relocations.get(function.section, {}).get(index)
                if symbol is not None:
                    self._refer(code, at, symbol)

    def _refer(self, code: bytearray, at: int, symbol: Symbol) -> None:
        """Fills in a reference to anything but code."""
        opcode, regs, off, imm = struct.unpack_from("<BBhi", code, at * INSN)
        if opcode == CALL:
            self._call_kernel(code, at, symbol, regs)
            return
        if opcode != LD_IMM64:
            raise LinkError("instruction {} refers to {} and cannot".format(at, symbol.name))
        low, high, source = 0, 0, 0
        if symbol.section in (".maps", "maps"):
            name = self.obj.map_at.get((symbol.section, symbol.value + (imm if symbol.kind == "STT_SECTION" else 0)))
            if name is None:
                raise LinkError("no map at {} of {}".format(symbol.value, symbol.section))
            source, low = PSEUDO_MAP_FD, self._map_fds[name]
        elif is_data(symbol.section):
            source, low, high = PSEUDO_MAP_VALUE, self._map_fds[symbol.section], symbol.value + imm
        elif symbol.name in self._kconfig_at:
            source, low, high = PSEUDO_MAP_VALUE, self._map_fds[".kconfig"], self._kconfig_at[symbol.name]
        elif symbol.name in self.obj.externs:
            source, low, high = self._variable(self.obj.externs[symbol.name])
        else:
            raise LinkError("{} is nowhere defined".format(symbol.name or "a symbol without name"))
        struct.pack_into("<BBhI", code, at * INSN, opcode, regs & 0xF | source << 4, off, low & 0xFFFFFFFF)
        struct.pack_into("<I", code, at * INSN + 12, high & 0xFFFFFFFF)

    def _variable(self, extern: Extern) -> Tuple[int, int, int]:
        """A kernel's variable: source register, and both halves of the value."""
        assert self.obj.types is not None
        if self.obj.types.kind(self.obj.types.skip(extern.type)) == 0:
            return 0, SOME_ADDRESS & 0xFFFFFFFF, SOME_ADDRESS >> 32
        kind = blob.FUNC if extern.is_func else blob.VAR
        found = self.kernel_types.find(kind, extern.name) if self.kernel_types else 0
        if found:
            return PSEUDO_BTF_ID, found, 0
        if not extern.weak:
            raise LinkError("{} is not in the kernel's types".format(extern.name))
        return 0, 0, 0

    def _call_kernel(self, code: bytearray, at: int, symbol: Symbol, regs: int) -> None:
        extern = self.obj.externs.get(symbol.name)
        if extern is None:
            raise LinkError("{} is called and nowhere defined".format(symbol.name))
        found = self.kernel_types.find(blob.FUNC, extern.name) if self.kernel_types else 0
        if not found and not extern.weak:
            raise LinkError("the kernel's types have no function {}".format(extern.name))
        struct.pack_into("<BBhi", code, at * INSN, CALL, regs & 0xF | PSEUDO_KFUNC << 4, 0, found)

    def _infos(self, parts: List[Tuple[Function, int]]) -> Tuple[bytes, bytes]:
        """func_info and line_info for the linked code."""
        functions, lines = b"", b""
        whole = True
        for function, base in parts:
            known = self.obj.func_info.get(function.section, {})
            if function.start in known:
                functions += struct.pack("<II", base, known[function.start])
            else:
                whole = False
            for at, file, line, column in self.obj.line_info.get(function.section, []):
                if function.start <= at < function.start + function.count:
                    lines += struct.pack("<IIII", at - function.start + base, file, line, column)
        return (functions, lines) if whole else (b"", b"")


_EMPTY_BTF = blob.HEADER.pack(blob.MAGIC, 1, 0, blob.HEADER.size, 0, 0, 0, 1) + b"\0"

__all__ = ["LinkError", "Linker", "Loadable", "ObjectError"]
