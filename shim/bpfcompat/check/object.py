# SPDX-License-Identifier: MIT
"""A BPF object file, read with pyelftools: its code and relocations, the definitions of its maps, its BTF in the form that
the kernel takes, and what its externs ask for."""

import struct
from typing import Dict, List, NamedTuple, Optional, Tuple

from bpfcompat.btf import blob
from bpfcompat.btf.blob import Blob
from bpfcompat.check import maps
from bpfcompat.check.core import Relocation
from bpfcompat.check.maps import MapDef
from bpfcompat.check.types import Types

EM_BPF = 247
INSN = 8
FUNC_EXTERN, FUNC_GLOBAL, VAR_GLOBAL = 2, 1, 1
SUFFIXES = (".data", ".rodata", ".bss")


class ObjectError(Exception):
    """A file that cannot be used; the message is for the user."""


class Symbol(NamedTuple):
    """Of the symbol table."""

    name: str
    section: str  # "": undefined
    value: int
    size: int
    kind: str  # STT_...
    bind: str
    hidden: bool = False

    @property
    def weak(self) -> bool:
        return self.bind == "STB_WEAK"


class Extern(NamedTuple):
    """A variable or function that the object wants from elsewhere."""

    name: str
    section: str  # ".ksyms", ".kconfig"
    type: int  # of the variable's value; of a function: its own id
    is_func: bool
    weak: bool


class Function(NamedTuple):
    """A piece of a section's code."""

    name: str
    section: str
    start: int  # in instructions
    count: int


def is_data(name: str) -> bool:
    return any(name == suffix or name.startswith(suffix + ".") for suffix in SUFFIXES)


class Object:
    """All that a loader needs to know of a file."""

    def __init__(self, path: str, cpus: int = 1) -> None:
        self.code = {}  # type: Dict[str, bytearray]
        self.relocations = {}  # type: Dict[str, Dict[int, Symbol]]
        self.functions = []  # type: List[Function]
        self.maps = []  # type: List[MapDef]
        self.map_at = {}  # type: Dict[Tuple[str, int], str]
        self.externs = {}  # type: Dict[str, Extern]
        self.func_info = {}  # type: Dict[str, Dict[int, int]]
        self.line_info = {}  # type: Dict[str, List[Tuple[int, int, int, int]]]
        self.core = {}  # type: Dict[str, List[Relocation]]
        self.gpl = False
        self.blob = None  # type: Optional[Blob]
        self.types = None  # type: Optional[Types]
        self._sections = {}  # type: Dict[str, bytes]
        self._symbols = []  # type: List[Symbol]
        self._read(path)
        license_text = self._sections.get("license", b"").split(b"\0")[0].decode("ascii", "replace")
        self.gpl = license_text in ("GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL")
        if ".BTF" in self._sections:
            self.blob = Blob(self._sections[".BTF"])
            self.types = Types(self.blob)
            if ".BTF.ext" in self._sections:
                self._read_ext(self._sections[".BTF.ext"])
            self._find_externs(self.types)
            self._complete(self.types)
            self._hide(self.types)
        self._find_maps(cpus)
        for symbol in self._symbols:
            if symbol.kind == "STT_FUNC" and symbol.section in self.code:
                self.functions.append(Function(symbol.name, symbol.section, symbol.value // INSN, symbol.size // INSN))
        self.functions.sort(key=lambda function: (list(self.code).index(function.section), function.start))

    # -- ELF --

    def _read(self, path: str) -> None:
        try:
            from elftools.common.exceptions import ELFError
            from elftools.elf.elffile import ELFFile
        except ImportError:
            raise ObjectError("this command needs the package pyelftools (pip install pyelftools)")
        with open(path, "rb") as file:
            try:
                elf = ELFFile(file)
                if elf.header["e_machine"] not in ("EM_BPF", EM_BPF):
                    raise ObjectError("not a BPF object file, but of machine {}".format(elf.header["e_machine"]))
                if not elf.little_endian or elf.elfclass != 64:
                    raise ObjectError("not a little-endian 64-bit object file")
                self._read_sections(elf)
            except (ELFError, struct.error, UnicodeDecodeError) as error:
                raise ObjectError("not an object file: {}".format(error or "malformed"))

    def _read_sections(self, elf: object) -> None:
        sections = list(elf.iter_sections())
        names = [section.name for section in sections]
        table = elf.get_section_by_name(".symtab")
        if table is None:
            raise ObjectError("it has no symbol table")
        for section in sections:
            kind, flags = section["sh_type"], section["sh_flags"]
            if kind == "SHT_NOBITS":
                self._sections[section.name] = bytes(section["sh_size"])
            elif kind not in ("SHT_NULL", "SHT_SYMTAB", "SHT_STRTAB", "SHT_REL"):
                self._sections[section.name] = section.data()
            if kind == "SHT_PROGBITS" and flags & 4 and section["sh_size"]:
                self.code[section.name] = bytearray(section.data())
        for symbol in table.iter_symbols():
            index = symbol["st_shndx"]
            place = names[index] if isinstance(index, int) and index < len(names) else ""
            info = symbol["st_info"]
            name = symbol.name or (place if info["type"] == "STT_SECTION" else "")
            hidden = symbol["st_other"]["visibility"] in ("STV_HIDDEN", "STV_INTERNAL")
            self._symbols.append(Symbol(name, place, symbol["st_value"], symbol["st_size"], info["type"], info["bind"], hidden))
        for section in sections:
            if section["sh_type"] != "SHT_REL" or not 0 < section["sh_info"] < len(names):
                continue
            target = names[section["sh_info"]]
            if target in self.code:
                found = self.relocations.setdefault(target, {})
                for entry in section.iter_relocations():
                    if entry["r_info_sym"] >= len(self._symbols):
                        raise ObjectError("a relocation of {} has no symbol".format(target))
                    found[entry["r_offset"] // INSN] = self._symbols[entry["r_info_sym"]]

    # -- .BTF.ext --

    def _read_ext(self, data: bytes) -> None:
        try:
            magic, _, _, header = struct.unpack_from("<HBBI", data)
            if magic != blob.MAGIC:
                raise ObjectError("malformed .BTF.ext")
            parts = struct.unpack_from("<IIII", data, 8)
            for section, off, record in self._records(data, header + parts[0], parts[1]):
                self.func_info.setdefault(section, {})[record[0] // INSN] = record[1]
                del off
            for section, _, record in self._records(data, header + parts[2], parts[3]):
                self.line_info.setdefault(section, []).append((record[0] // INSN, record[1], record[2], record[3]))
            if header >= 32:
                parts = struct.unpack_from("<II", data, 24)
                for section, _, record in self._records(data, header + parts[0], parts[1]):
                    relocation = Relocation(record[0] // INSN, record[1], self._string(record[2]), record[3])
                    self.core.setdefault(section, []).append(relocation)
        except struct.error:
            raise ObjectError("malformed .BTF.ext")

    def _string(self, offset: int) -> str:
        assert self.blob is not None
        return self.blob.string(offset)

    def _records(self, data: bytes, start: int, length: int) -> List[Tuple[str, int, Tuple[int, ...]]]:
        found = []  # type: List[Tuple[str, int, Tuple[int, ...]]]
        if not length:
            return found
        size = struct.unpack_from("<I", data, start)[0]
        if size < 8 or size % 4:
            raise ObjectError("malformed .BTF.ext")
        at = start + 4
        while at < start + length:
            name, count = struct.unpack_from("<II", data, at)
            at += 8
            for _ in range(count):
                found.append((self._string(name), at, struct.unpack_from("<{}I".format(size // 4), data, at)))
                at += size
        return found

    # -- externs --

    def _find_externs(self, types: Types) -> None:
        symbols = {symbol.name: symbol for symbol in self._symbols if not symbol.section and symbol.name}
        for section in (".ksyms", ".kconfig"):
            for number, _, _ in types.datasec(section):
                name, entry = types.name(number), types.get(number)
                assert entry is not None
                is_func = entry.kind == blob.FUNC
                weak = name in symbols and symbols[name].weak
                self.externs[name] = Extern(name, section, number if is_func else entry.value, is_func, weak)

    # -- BTF as the kernel takes it --

    def _complete(self, types: Types) -> None:
        """Sizes and places in sections of data, which compilers leave to the loader; externs as definitions."""
        places = {symbol.name: symbol for symbol in self._symbols if symbol.section and symbol.bind != "STB_LOCAL"}
        for entry in list(types.blob.list):
            if entry.kind != blob.DATASEC:
                continue
            name = types.blob.string(entry.name_off)
            rows = list(struct.iter_unpack("<III", entry.data[blob.TYPE.size :]))
            if name in (".ksyms", ".kconfig"):
                rows, size = self._complete_externs(types, name, rows)
            else:
                size = entry.value or len(self._sections.get(name, b""))
                rows = [(var, self._place(types, var, off, places), width) for var, off, width in rows]
            rows.sort(key=lambda row: row[1])
            data = blob.TYPE.pack(entry.name_off, blob.DATASEC << 24 | len(rows), size)
            types.blob.list[entry.id - 1] = blob.Type(entry.id, data + b"".join(struct.pack("<III", *row) for row in rows))

    def _hide(self, types: Types) -> None:
        """Hidden functions are verified where they are called, as static ones are."""
        hidden = {symbol.name for symbol in self._symbols if symbol.kind == "STT_FUNC" and symbol.hidden}
        for entry in list(types.blob.list):
            if entry.kind == blob.FUNC and entry.vlen == FUNC_GLOBAL and types.blob.string(entry.name_off) in hidden:
                data = blob.TYPE.pack(entry.name_off, blob.FUNC << 24, entry.value)
                types.blob.list[entry.id - 1] = blob.Type(entry.id, data)

    def _place(self, types: Types, var: int, offset: int, places: Dict[str, Symbol]) -> int:
        """A variable's offset: static ones have theirs already."""
        name = types.name(var)
        return places[name].value if types.linkage(var) and name in places else offset

    def _complete_externs(
        self, types: Types, section: str, rows: List[Tuple[int, int, int]]
    ) -> Tuple[List[Tuple[int, int, int]], int]:
        found, at = [], 0
        number = self._int(types) if section == ".ksyms" else 0
        for var, _, size in rows:
            entry = types.get(var)
            assert entry is not None
            if entry.kind == blob.FUNC:
                info = blob.FUNC << 24 | FUNC_GLOBAL
                types.blob.list[var - 1] = blob.Type(var, blob.TYPE.pack(entry.name_off, info, entry.value))
                self._name_params(types, entry.value)
                var = types.blob._append(struct.pack("<IIII", entry.name_off, blob.VAR << 24, number, VAR_GLOBAL))
                size = 4
            else:
                target = number if section == ".ksyms" else entry.value
                size = types.size(target)
                types.blob.list[var - 1] = blob.Type(
                    var, struct.pack("<IIII", entry.name_off, blob.VAR << 24, target, VAR_GLOBAL)
                )
            at = (at + 7) // 8 * 8 if section == ".kconfig" else at
            found.append((var, at, size))
            at += size
        return found, at

    def _int(self, types: Types) -> int:
        """A 4-byte integer type, to stand for what a kernel's symbol really is."""
        for entry in types.blob.list:
            if entry.kind == blob.INT and entry.value == 4:
                return entry.id
        return types.blob._append(struct.pack("<IIII", types.blob.add_string("int"), blob.INT << 24, 4, 1 << 24 | 32))

    def _name_params(self, types: Types, proto: int) -> None:
        entry = types.get(proto)
        assert entry is not None
        name = types.blob.add_string("arg")
        rows = [(name_off or name, number) for name_off, number in entry.params]
        data = entry.data[: blob.TYPE.size] + b"".join(blob.PARAM.pack(*row) for row in rows)
        types.blob.list[proto - 1] = blob.Type(proto, data)

    # -- maps --

    def _find_maps(self, cpus: int) -> None:
        try:
            if self.types is not None:
                for var, offset, _ in self.types.datasec(".maps"):
                    entry = self.types.get(var)
                    assert entry is not None
                    found = maps.of_struct(self.types, self.types.name(var), self.types.skip(entry.value), cpus)
                    self._add_map(found, ".maps", offset)
            if "maps" in self._sections:
                symbols = sorted(
                    (s for s in self._symbols if s.section == "maps" and s.kind != "STT_SECTION"), key=lambda s: s.value
                )
                size = len(self._sections["maps"]) // len(symbols) if symbols else 0
                for found, symbol in zip(maps.of_records(self._sections["maps"], symbols, size), symbols):
                    self._add_map(found, "maps", symbol.value)
        except maps.MapError as error:
            raise ObjectError(str(error))
        for name, data in self._sections.items():
            if is_data(name) and data:
                section = self.blob.find(blob.DATASEC, name) if self.blob else None
                self._add_map(maps.of_data(name, data, section.id if section else 0), name, 0)

    def _add_map(self, found: MapDef, section: str, offset: int) -> None:
        self.maps.append(found)
        self.map_at[section, offset] = found.name

    # -- programs --

    def programs(self) -> List[Function]:
        """The functions that can be loaded: those outside .text, which holds what they call."""
        found = [function for function in self.functions if function.section != ".text"]
        return found or [function for function in self.functions if function.section == ".text"]

    def function_at(self, section: str, index: int) -> Optional[Function]:
        for function in self.functions:
            if function.section == section and function.start <= index < function.start + function.count:
                return function
        return None
