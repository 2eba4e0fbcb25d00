# SPDX-License-Identifier: MIT
"""Makes an old kernel's BTF answer what current programs ask of it."""

from typing import Dict, List, Optional

from bpfcompat.btf.blob import STRUCT, UNION, Blob

KABI = "__UNIQUE_ID_rh_kabi_hide"
OLD_EVENT, NEW_EVENT = "ftrace_raw_", "trace_event_raw_"
# Programs take a kernel that has this struct for one that has the map type; the module has the map type.
RINGBUF = "bpf_ringbuf"


def _first_name(blob: Blob, type_id: int, depth: int = 0) -> Optional[str]:
    """The name of the first named member of a struct or union, through anonymous ones."""
    if depth > 8 or not 0 < type_id <= len(blob.list):
        return None
    entry = blob.list[type_id - 1]
    if entry.kind not in (STRUCT, UNION):
        return None
    for name_off, inner, _ in blob.members(entry):
        name = blob.string(name_off) or _first_name(blob, inner, depth + 1)
        if name and not name.startswith(KABI):
            return name
    return None


def name_kabi(blob: Blob) -> int:
    """
    RH_KABI_REPLACE makes an anonymous union of the new member and of the old one in a struct whose name carries a
    counter. Within one struct these names must differ, so each is named after the union's new member.
    """
    count = 0
    for entry in blob.list:
        if entry.kind != UNION:
            continue
        for index, (name_off, _, _) in enumerate(blob.members(entry)):
            if name_off and blob.string(name_off).startswith(KABI):
                blob.rename_member(entry, index, "rh_kabi_hide_" + (_first_name(blob, entry.id) or str(entry.id)))
                count += 1
    return count


def name_events(blob: Blob) -> int:
    """Since 4.7 the record of a trace event is struct trace_event_raw_NAME; before, ftrace_raw_NAME: have both."""
    old, new = [], set()  # type: List, set
    for entry in blob.list:
        if entry.kind != STRUCT or not entry.name_off:
            continue
        name = blob.string(entry.name_off)
        if name.startswith(OLD_EVENT):
            old.append((entry, name[len(OLD_EVENT) :]))
        elif name.startswith(NEW_EVENT):
            new.add(name[len(NEW_EVENT) :])
    missing = [(entry, name) for entry, name in old if name not in new]
    for entry, name in missing:
        blob.add_copy(entry, NEW_EVENT + name)
    return len(missing)


def fit_sizes(blob: Blob) -> int:
    """
    A struct with an array of variable length inside (3.10's crypto code declares some on the stack) comes out of DWARF
    with size 0, and members beyond its end: BTF that every checker refuses. It gets the size that its members take.
    """
    count = 0
    for entry in blob.list:
        if entry.kind != STRUCT or not entry.vlen:
            continue
        end = 0
        for _, inner, place in blob.members(entry):
            bits, place = (place >> 24, place & 0xFFFFFF) if entry.flag else (0, place)
            end = max(end, place + (bits or 8 * blob.size_of(inner)))
        if end > 8 * entry.value:
            blob.set_size(entry, (end + 7) // 8)
            count += 1
    return count


def adapt(blob: Blob) -> Dict[str, int]:
    """All of it; may be done twice to the same blob. Returns how much of each was done."""
    done = {"kabi_members": name_kabi(blob), "trace_events": name_events(blob), "ringbuf": 0, "sizes": fit_sizes(blob)}
    if blob.find(STRUCT, RINGBUF) is None:
        blob.add_struct(RINGBUF, 0)
        done["ringbuf"] = 1
    return done
