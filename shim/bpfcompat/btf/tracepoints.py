# SPDX-License-Identifier: MIT
"""
Types of tracepoints: programs that get a tracepoint's arguments with their types look for typedef btf_trace_NAME, which kernels
before 4.18 do not have. The function through which perf listens to the tracepoint has the same arguments.
"""

import struct
from typing import Any, Callable, Dict, List, Optional, Tuple

from bpfcompat.btf.blob import FUNC, FUNC_PROTO, INT, PTR, STRUCT, TYPEDEF, Blob

PERF_PROBE, TYPE_NAME = "perf_trace_", "btf_trace_"
_SYMBOL = struct.Struct("<IBBHQQ")
Param = Tuple[int, int]  # name offset and type


def _symbols(elf: Any) -> List[Tuple[str, int]]:
    table = elf.get_section_by_name(".symtab")
    if table is None:
        return []
    names = elf.get_section(table["sh_link"]).data()
    found = []
    for name_off, _, _, section, address, _ in _SYMBOL.iter_unpack(table.data()):
        if section and name_off:
            found.append((names[name_off : names.index(b"\0", name_off)].decode("ascii", "replace"), address))
    return found


def _reader(elf: Any) -> Callable[[int], int]:
    """Reads the word at an address of the image; 0 where there is none."""
    segments = [(s["p_vaddr"], s["p_filesz"], s.data()) for s in elf.iter_segments() if s["p_type"] == "PT_LOAD"]

    def read(address: int) -> int:
        for start, size, data in segments:
            if start <= address and address + 8 <= start + size:
                return int(struct.unpack_from("<Q", data, address - start)[0])
        return 0

    return read


def _offset(blob: Blob, names: Tuple[str, ...], member: str) -> Optional[int]:
    for name in names:
        for entry in blob.find_all(STRUCT, name):
            for name_off, _, offset in entry.members:
                if blob.string(name_off) == member:
                    return entry.place(offset)[0] // 8
    return None


def probes_of(elf: Any, blob: Blob) -> Dict[str, str]:
    """
    For each trace event of the image the function through which perf listens to it: struct ftrace_event_call event_NAME
    points to its class, and that to the function. Events of one class share it.
    """
    to_class = _offset(blob, ("ftrace_event_call", "trace_event_call"), "class")
    to_probe = _offset(blob, ("ftrace_event_class", "trace_event_class"), "perf_probe")
    if to_class is None or to_probe is None:
        return {}
    symbols, read = _symbols(elf), _reader(elf)
    functions = {address: name for name, address in symbols if name.startswith(PERF_PROBE)}
    found = {}
    for name, address in symbols:
        if name.startswith("event_"):
            at = read(address + to_class)
            probe = functions.get(read(at + to_probe)) if at else None
            if probe:
                found[name[len("event_") :]] = probe
    return found


def _same_name(blob: Blob) -> Dict[str, str]:
    """What the blob alone tells: of the events that have a class of their own."""
    names = (blob.string(entry.name_off) for entry in blob.list if entry.kind == FUNC)
    return {name[len(PERF_PROBE) :]: name for name in names if name.startswith(PERF_PROBE)}


def _points_to(blob: Blob, type_id: int, name: str) -> bool:
    if not 0 < type_id <= len(blob.list) or blob.list[type_id - 1].kind != PTR:
        return False
    target = blob.list[type_id - 1].value
    return 0 < target <= len(blob.list) and blob.string(blob.list[target - 1].name_off) == name


def _number(blob: Blob, *names: str) -> int:
    return next((found.id for found in (blob.find(INT, name) for name in names) if found), 0)


def _switch(blob: Blob, params: List[Param]) -> List[Param]:
    """sched_switch of (prev, next): 4.4 put preempt before them."""
    flag = _number(blob, "_Bool", "bool")
    if len(params) != 3 or not flag or not all(_points_to(blob, to, "task_struct") for _, to in params[1:]):
        return params
    return [params[0], (blob.add_string("preempt"), flag), *params[1:]]


def _complete(blob: Blob, params: List[Param]) -> List[Param]:
    """block_rq_complete of (queue, rq, bytes): now (rq, error, bytes)."""
    number = _number(blob, "int")
    if len(params) != 4 or not number or not _points_to(blob, params[1][1], "request_queue"):
        return params
    return [params[0], params[2], (blob.add_string("error"), number), params[3]]


# As the module passes them (kmod/compat/raw_tp_args.c).
FORMS = {"sched_switch": _switch, "block_rq_complete": _complete}


def add_tracepoints(blob: Blob, probes: Optional[Dict[str, str]] = None) -> int:
    """A typedef for each tracepoint that has none. @probes: as probes_of() says, where the image is at hand."""
    have = {blob.string(entry.name_off) for entry in blob.list if entry.kind == TYPEDEF}
    if probes is None and any(name.startswith(TYPE_NAME) for name in have):
        return 0  # whoever put them there knew more
    functions = {blob.string(entry.name_off): entry for entry in blob.list if entry.kind == FUNC}
    protos, pointers, count = dict(enumerate(blob.list, 1)), {}, 0  # type: Dict[int, Any], Dict[int, int], int
    for name, function in sorted((probes or _same_name(blob)).items()):
        entry = functions.get(function)
        proto = protos.get(entry.value) if entry else None
        if TYPE_NAME + name in have or proto is None or proto.kind != FUNC_PROTO or not proto.vlen:
            continue
        target, params = proto.id, proto.params
        changed = FORMS[name](blob, params) if name in FORMS else params
        if changed != params:
            target = blob.add_proto(proto.value, changed)
        if target not in pointers:
            pointers[target] = blob.add_reference(PTR, "", target)
        blob.add_reference(TYPEDEF, TYPE_NAME + name, pointers[target])
        count += 1
    return count
