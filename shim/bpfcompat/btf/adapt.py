# SPDX-License-Identifier: MIT
"""Makes an old kernel's BTF answer what current programs ask of it."""

from typing import Dict, List, Optional, Tuple

from bpfcompat.btf.blob import INT, STRUCT, UNION, Blob, Type
from bpfcompat.btf.iterators import add_contexts, add_iterators
from bpfcompat.btf.tracepoints import add_tracepoints
from bpfcompat.btf.twins import hide_ambiguous, merge_twins

KABI = "__UNIQUE_ID_rh_kabi_hide"
OLD_EVENT, NEW_EVENT = "ftrace_raw_", "trace_event_raw_"
# Programs take a kernel that has this struct for one that has the map type; the module has the map type.
RINGBUF = "bpf_ringbuf"

# Fields that a current kernel keeps in a struct and an old one elsewhere, or in another unit. They get a place at which
# no real field can be, an odd address; reads there are answered by the module (kmod/compat/virtual_field.c).
VIRTUAL = (
    ("task_struct", "start_time", "long long unsigned int", INT, 1),
    ("sock_common", "skc_v6_daddr", "in6_addr", STRUCT, 1),
    ("sock_common", "skc_v6_rcv_saddr", "in6_addr", STRUCT, 3),
)
# Flags that an old kernel does not have, and so never sets: one bit of the padding after a member.
UNSET = (("inet_sock", "bind_address_no_port", "rcv_tos"),)


def _names(blob: Blob, entry: Type) -> List[str]:
    return [blob.string(member[0]) for member in entry.members]


def _first_name(blob: Blob, type_id: int, depth: int = 0) -> Optional[str]:
    """The name of the first named member of a struct or union, through anonymous ones."""
    if depth > 8 or not 0 < type_id <= len(blob.list):
        return None
    entry = blob.list[type_id - 1]
    if entry.kind not in (STRUCT, UNION):
        return None
    for name_off, inner, _ in entry.members:
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
        members = entry.members
        for index, (name_off, inner, offset) in enumerate(members):
            if name_off and blob.string(name_off).startswith(KABI):
                name = "rh_kabi_hide_" + (_first_name(blob, entry.id) or str(entry.id))
                members[index] = (blob.add_string(name), inner, offset)
                blob.change(entry, members)
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


def name_times(blob: Blob) -> int:
    """Since 4.18 nanosleep(2) takes a struct __kernel_timespec; before, a timespec with the same members: have both."""
    own = blob.find(STRUCT, "timespec")
    if own is None or blob.find(STRUCT, "__kernel_timespec") is not None:
        return 0
    blob.add_copy(own, "__kernel_timespec")
    return 1


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
        for _, inner, offset in entry.members:
            place, bits = entry.place(offset)
            end = max(end, place + (bits or 8 * blob.size_of(inner)))
        if end > 8 * entry.value:
            blob.change(entry, entry.members, (end + 7) // 8)
            count += 1
    return count


def name_namespaces(blob: Blob) -> int:
    """Since 3.19 a namespace's number is ns.inum; before it was proc_inum: have both, in a union."""
    common = blob.find(STRUCT, "ns_common")
    if common is not None:
        return 0
    number = blob.find(INT, "unsigned int")
    if number is None:
        return 0
    common_id, count = 0, 0
    for entry in list(blob.list):
        if entry.kind != STRUCT:
            continue
        members = entry.members
        names = _names(blob, entry)
        if "proc_inum" not in names or "ns" in names:
            continue
        common_id = common_id or blob.add_struct(STRUCT, "ns_common", 4, [(blob.add_string("inum"), number.id, 0)])
        index = names.index("proc_inum")
        name_off, inner, offset = members[index]
        both = blob.add_struct(UNION, "", 4, [(name_off, inner, 0), (blob.add_string("ns"), common_id, 0)])
        members[index] = (0, both, offset)
        blob.change(entry, members)
        count += 1
    return count


def _lay_over(blob: Blob, entry: Type, fields: List[Tuple[int, int, int]]) -> None:
    """
    Puts fields at places where others are already. What writes C out of BTF, as bpftrace does, knows no such places, and would
    move all that follows. So the struct becomes a union: of its members as they were, and of each field behind a gap.
    """
    whole = blob.add_copy(entry, "")
    members = [(0, whole, 0)]
    for name_off, inner, place in fields:
        members.append((0, blob.add_struct(STRUCT, "", place // 8 + blob.size_of(inner), [(name_off, inner, place)]), 0))
    blob.change(entry, [(0, blob.add_struct(UNION, "", entry.value, members), 0)])


def add_virtual(blob: Blob) -> int:
    """The fields of VIRTUAL, where the kernel has none of that name and type."""
    count = 0
    for owner in sorted({row[0] for row in VIRTUAL}):
        for entry in blob.find_all(STRUCT, owner):
            fields = []  # type: List[Tuple[int, int, int]]
            for _, name, type_name, kind, offset in (row for row in VIRTUAL if row[0] == owner):
                wanted, names = blob.find(kind, type_name), _names(blob, entry)
                if wanted is None or names == [""]:
                    continue
                if name in names:
                    index, members = names.index(name), entry.members
                    if kind != INT or blob.list[members[index][1] - 1].kind != STRUCT:
                        continue
                    # The kernel's own of that name is a struct where programs expect a number: known by another name.
                    members[index] = (blob.add_string(name + "_struct"), *members[index][1:])
                    blob.change(entry, members)
                    entry = blob.list[entry.id - 1]
                fields.append((blob.add_string(name), wanted.id, 8 * offset))
            if fields:
                _lay_over(blob, entry, fields)
                count += len(fields)
    return count


def add_unset(blob: Blob) -> int:
    """The flags of UNSET, where the kernel has none of that name and there is padding for them."""
    count = 0
    for owner, name, before in UNSET:
        byte = blob.find(INT, "unsigned char")
        for entry in blob.find_all(STRUCT, owner):
            names = _names(blob, entry)
            if byte is None or name in names or before not in names or not entry.flag:
                continue
            members = entry.members
            index = names.index(before)
            start = entry.place(members[index][2])[0] + 8 * blob.size_of(members[index][1])
            if index + 1 < len(members) and entry.place(members[index + 1][2])[0] > start:
                members.insert(index + 1, (blob.add_string(name), byte.id, 1 << 24 | start))
                blob.change(entry, members)
                count += 1
    return count


def adapt(blob: Blob, probes: Optional[Dict[str, str]] = None) -> Dict[str, int]:
    """All of it; may be done twice to the same blob. @probes: see tracepoints.py. Returns how much of each was done."""
    done = {
        "twins": merge_twins(blob),
        "hidden": hide_ambiguous(blob),
        "kabi_members": name_kabi(blob),
        "trace_events": name_events(blob),
        "sizes": fit_sizes(blob),
        "times": name_times(blob),
        "namespaces": name_namespaces(blob),
        "virtual": add_virtual(blob),
        "unset": add_unset(blob),
        "tracepoints": add_tracepoints(blob, probes),
        "iterators": add_iterators(blob),
        "contexts": add_contexts(blob),
        "ringbuf": 0,
    }
    if blob.find(STRUCT, RINGBUF) is None:
        blob.add_struct(STRUCT, RINGBUF, 0)
        done["ringbuf"] = 1
    return done
