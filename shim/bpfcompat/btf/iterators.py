# SPDX-License-Identifier: MIT
"""
Types of iterators, of programs' contexts, and of the kernel's own BPF objects, for kernels that have none: the function
bpf_iter_NAME by whose prototype a program is judged, the context struct bpf_iter__NAME, and structs like bpf_map with the fields
that clients read. The module lays objects out by these when it shows them (kmod/iter/shadows.c), so that the places here are no
other's business.
"""

from typing import List, Optional, Tuple

from bpfcompat.btf.blob import FUNC, INT, PTR, STRUCT, TYPEDEF, Blob

Fields = Tuple[Tuple[str, str], ...]

# Types: a number ("u32"), a pointer ("file *", "void *"), an array ("char[16]"), or a typedef of the kernel's.
# What programs of the kernel's own, of bpftool and of its examples read.
OBJECTS = (
    ("btf_type", (("name_off", "u32"), ("info", "u32"), ("size", "u32"))),
    (
        "btf_header",
        (
            ("magic", "u16"),
            ("version", "u8"),
            ("flags", "u8"),
            ("hdr_len", "u32"),
            ("type_off", "u32"),
            ("type_len", "u32"),
            ("str_off", "u32"),
            ("str_len", "u32"),
        ),
    ),
    ("bpf_func_info", (("insn_off", "u32"), ("type_id", "u32"))),
    (
        "btf",
        (
            ("data", "void *"),
            ("types", "btf_type * *"),
            ("strings", "char *"),
            ("hdr", "btf_header"),
            ("nr_types", "u32"),
            ("data_size", "u32"),
            ("id", "u32"),
            ("name", "char[60]"),
            ("kernel_btf", "u8"),
        ),
    ),
    (
        "bpf_map",
        (
            ("map_type", "u32"),
            ("key_size", "u32"),
            ("value_size", "u32"),
            ("max_entries", "u32"),
            ("map_extra", "u64"),
            ("map_flags", "u32"),
            ("id", "u32"),
            ("btf_key_type_id", "u32"),
            ("btf_value_type_id", "u32"),
            ("btf", "btf *"),
            ("name", "char[16]"),
            ("refcnt", "atomic64_t"),
            ("usercnt", "atomic64_t"),
        ),
    ),
    (
        "bpf_prog_aux",
        (
            ("refcnt", "atomic64_t"),
            ("used_map_cnt", "u32"),
            ("used_btf_cnt", "u32"),
            ("attach_btf_id", "u32"),
            ("id", "u32"),
            ("func_cnt", "u32"),
            ("verified_insns", "u32"),
            ("load_time", "u64"),
            ("name", "char[16]"),
            ("attach_func_name", "char *"),
            ("btf", "btf *"),
            ("func_info", "bpf_func_info *"),
        ),
    ),
    (
        "bpf_prog",
        (
            ("len", "u32"),
            ("jited_len", "u32"),
            ("tag", "u8[8]"),
            ("type", "u32"),
            ("expected_attach_type", "u32"),
            ("aux", "bpf_prog_aux *"),
        ),
    ),
    ("bpf_link", (("refcnt", "atomic64_t"), ("id", "u32"), ("type", "u32"), ("prog", "bpf_prog *"))),
    ("bpf_iter_meta", (("seq", "seq_file *"), ("session_id", "u64"), ("seq_num", "u64"))),
)  # type: Tuple[Tuple[str, Fields], ...]
# What programs get from the module and hand to its helpers, in the layout of bpf(2)'s own header. Programs relocate against these
# like against any type of the kernel's, though no kernel could have another layout.
CONTEXTS = (
    (
        "bpf_sock",
        (
            ("bound_dev_if", "u32"),
            ("family", "u32"),
            ("type", "u32"),
            ("protocol", "u32"),
            ("mark", "u32"),
            ("priority", "u32"),
            ("src_ip4", "u32"),
            ("src_ip6", "u32[4]"),
            ("src_port", "u32"),
            ("dst_port", "u16"),
            ("dst_ip4", "u32"),
            ("dst_ip6", "u32[4]"),
            ("state", "u32"),
            ("rx_queue_mapping", "int"),
        ),
    ),
    (
        "__sk_buff",
        (
            ("len", "u32"),
            ("pkt_type", "u32"),
            ("mark", "u32"),
            ("queue_mapping", "u32"),
            ("protocol", "u32"),
            ("vlan_present", "u32"),
            ("vlan_tci", "u32"),
            ("vlan_proto", "u32"),
            ("priority", "u32"),
            ("ingress_ifindex", "u32"),
            ("ifindex", "u32"),
            ("tc_index", "u32"),
            ("cb", "u32[5]"),
            ("hash", "u32"),
            ("tc_classid", "u32"),
            ("data", "u32"),
            ("data_end", "u32"),
            ("napi_id", "u32"),
            ("family", "u32"),
            ("remote_ip4", "u32"),
            ("local_ip4", "u32"),
            ("remote_ip6", "u32[4]"),
            ("local_ip6", "u32[4]"),
            ("remote_port", "u32"),
            ("local_port", "u32"),
            ("data_meta", "u32"),
            ("flow_keys", "void *"),
            ("tstamp", "u64"),
            ("wire_len", "u32"),
            ("gso_segs", "u32"),
            ("sk", "bpf_sock *"),
            ("gso_size", "u32"),
            ("tstamp_type", "u8"),
            ("hwtstamp", "u64"),
        ),
    ),
    (
        "xdp_md",
        (
            ("data", "u32"),
            ("data_end", "u32"),
            ("data_meta", "u32"),
            ("ingress_ifindex", "u32"),
            ("rx_queue_index", "u32"),
            ("egress_ifindex", "u32"),
        ),
    ),
    (
        "bpf_tcp_sock",
        (
            ("snd_cwnd", "u32"),
            ("srtt_us", "u32"),
            ("rtt_min", "u32"),
            ("snd_ssthresh", "u32"),
            ("rcv_nxt", "u32"),
            ("snd_nxt", "u32"),
            ("snd_una", "u32"),
            ("mss_cache", "u32"),
            ("ecn_flags", "u32"),
            ("rate_delivered", "u32"),
            ("rate_interval_us", "u32"),
            ("packets_out", "u32"),
            ("retrans_out", "u32"),
            ("total_retrans", "u32"),
            ("segs_in", "u32"),
            ("data_segs_in", "u32"),
            ("segs_out", "u32"),
            ("data_segs_out", "u32"),
            ("lost_out", "u32"),
            ("sacked_out", "u32"),
            ("bytes_received", "u64"),
            ("bytes_acked", "u64"),
            ("dsack_dups", "u32"),
            ("delivered", "u32"),
            ("delivered_ce", "u32"),
            ("icsk_retransmits", "u32"),
        ),
    ),
    ("btf_ptr", (("ptr", "void *"), ("type_id", "u32"), ("flags", "u32"))),
    ("bpf_perf_event_data", (("regs", "pt_regs"), ("sample_period", "u64"), ("addr", "u64"))),
    ("bpf_raw_tracepoint_args", (("args", "u64[0]"),)),
    ("bpf_perf_event_value", (("counter", "u64"), ("enabled", "u64"), ("running", "u64"))),
    ("bpf_pidns_info", (("pid", "u32"), ("tgid", "u32"))),
)  # type: Tuple[Tuple[str, Fields], ...]
# What helpers make of a socket: a kernel that only asks for its size tells nothing of it. The layout is that of all kernels.
SOCKETS = (
    ("tcp6_sock", (("tcp", "tcp_sock"), ("inet6", "ipv6_pinfo"))),
    ("udp6_sock", (("udp", "udp_sock"), ("inet6", "ipv6_pinfo"))),
)  # type: Tuple[Tuple[str, Fields], ...]
# Where a reader of the kernel's symbols is: fields that old kernels lack, which the module keeps behind the kernel's own
# (kmod/iter/ksym.c).
SYMBOLS = (
    (
        "kallsym_iter",
        (
            ("pos_arch_end", "loff_t"),
            ("pos_mod_end", "loff_t"),
            ("pos_ftrace_mod_end", "loff_t"),
            ("pos_bpf_end", "loff_t"),
            ("show_value", "int"),
        ),
    ),
)  # type: Tuple[Tuple[str, Fields], ...]
# To each other: what refers to what comes later.
LATER = {"bpf_prog_aux": (("prog", "bpf_prog *"), ("dst_prog", "bpf_prog *"))}

# The arguments behind the bpf_iter_meta, a word each.
TARGETS = (
    ("task", (("task", "task_struct *"),)),
    ("task_file", (("task", "task_struct *"), ("fd", "u32"), ("file", "file *"))),
    ("task_vma", (("task", "task_struct *"), ("vma", "vm_area_struct *"))),
    ("bpf_map", (("map", "bpf_map *"),)),
    ("bpf_map_elem", (("map", "bpf_map *"), ("key", "void *"), ("value", "void *"))),
    ("bpf_sk_storage_map", (("map", "bpf_map *"), ("sk", "sock *"), ("value", "void *"))),
    ("sockmap", (("map", "bpf_map *"), ("key", "void *"), ("sk", "sock *"))),
    ("bpf_prog", (("prog", "bpf_prog *"),)),
    ("bpf_link", (("link", "bpf_link *"),)),
    ("ksym", (("ksym", "kallsym_iter *"),)),
    ("tcp", (("sk_common", "sock_common *"), ("uid", "uid_t"))),
    ("udp", (("udp_sk", "udp_sock *"), ("uid", "uid_t"), ("bucket", "int"))),
    ("unix", (("unix_sk", "unix_sock *"), ("uid", "uid_t"))),
    ("netlink", (("sk", "netlink_sock *"),)),
    ("ipv6_route", (("rt", "fib6_info *"),)),
    ("cgroup", (("cgroup", "cgroup *"),)),
)  # type: Tuple[Tuple[str, Fields], ...]
# The kernel's functions without which the module has no such target (kmod/compat/cgroup_walk.c).
NEEDED = {"cgroup": ("cgroup_v1v2_get_from_fd", "css_next_descendant_post")}

NUMBERS = {
    "u8": ("unsigned char",),
    "u16": ("short unsigned int", "unsigned short"),
    "u32": ("unsigned int",),
    "u64": ("long long unsigned int", "unsigned long long"),
    "char": ("char",),
    "int": ("int",),
}


class _Types:
    """Finds types, and makes the pointers and arrays that are missing."""

    def __init__(self, blob: Blob) -> None:
        self.blob = blob
        self.made = {}  # type: Dict[str, int]

    def find(self, text: str) -> int:
        """The id; KeyError where the kernel lacks what it is made of."""
        if text not in self.made:
            self.made[text] = self._find(text)
        return self.made[text]

    def _find(self, text: str) -> int:
        if text.endswith("*"):
            inner = text[:-1].strip()
            return self.blob.add_reference(PTR, "", 0 if inner == "void" else self.find(inner))
        if text.endswith("]"):
            inner, count = text[:-1].split("[")
            return self.blob.add_array(self.find(inner), self.find("int"), int(count))
        for name in NUMBERS.get(text, ()):
            number = self.blob.find(INT, name)
            if number is not None:
                return number.id
        found = self.blob.find(STRUCT, text) or self.blob.find(TYPEDEF, text)
        if found is None:
            raise KeyError(text)
        return found.id


def _lay_out(types: _Types, fields: Fields, end: int) -> Tuple[List[Tuple[int, int, int]], int]:
    """Members at natural places from byte @end on, and where they end."""
    members = []
    for name, text in fields:
        type_id = types.find(text)
        size = types.blob.size_of(type_id)
        align = 1 if "[" in text else min(8, max(size & -size, 1))
        end = (end + align - 1) // align * align
        members.append((types.blob.add_string(name), type_id, 8 * end))
        end += size
    return members, end


def _complete(types: _Types, name: str, fields: Fields) -> bool:
    """
    A struct with at least these fields, of these sizes: the kernel's own gets what it lacks at its end, and what is of another
    size there (reference counts of vendors' early bpf(2) are shorter) has another name from then on. False: it had all.
    """
    blob = types.blob
    own = blob.find(STRUCT, name)
    members = own.members if own else []
    places = {blob.string(member[0]): index for index, member in enumerate(members)}
    lacking = []
    for field in fields:
        index = places.get(field[0])
        if index is not None:
            if blob.size_of(members[index][1]) == blob.size_of(types.find(field[1])):
                continue
            members[index] = (blob.add_string(field[0] + "_own"), *members[index][1:])
        lacking.append(field)
    if own and not lacking:
        return False
    more, end = _lay_out(types, tuple(lacking), own.value if own else 0)
    size = (end + 7) // 8 * 8
    if own is None:
        types.made[name] = blob.add_struct(STRUCT, name, size, more)
    else:
        blob.change(own, members + more, size)
    return True


def _context(types: _Types, fields: Fields) -> List[Tuple[int, int, int]]:
    return [(types.blob.add_string(name), types.find(text), 64 * nr) for nr, (name, text) in enumerate(fields)]


def add_contexts(blob: Blob) -> int:
    """The types of CONTEXTS and SOCKETS that the kernel's BTF lacks; how many that were."""
    types, count = _Types(blob), 0
    for name, fields in CONTEXTS + SOCKETS:
        try:
            count += blob.find(STRUCT, name) is None and _complete(types, name, fields)
        except KeyError:
            continue
    return count


def add_iterators(blob: Blob) -> int:
    """The targets of TARGETS that the kernel's BTF lacks; how many that were."""
    types, count = _Types(blob), 0
    if blob.find(FUNC, "bpf_iter_task") is not None or blob.find(STRUCT, "seq_file") is None:
        return 0
    try:
        for name, fields in OBJECTS:
            _complete(types, name, fields)
        for name, fields in LATER.items():
            _complete(types, name, fields)
    except KeyError:
        return 0
    for name, fields in SYMBOLS:
        if blob.find(STRUCT, name) is not None and blob.find(TYPEDEF, "loff_t") is not None:
            _complete(types, name, fields)
    for name, fields in TARGETS:
        if any(blob.find(FUNC, function) is None for function in NEEDED.get(name, ())):
            continue
        if _add_target(types, name, (("meta", "bpf_iter_meta *"), *fields)):
            count += 1
    return count


def _add_target(types: _Types, name: str, fields: Fields) -> Optional[int]:
    blob = types.blob
    try:
        params = [(blob.add_string(field), types.find(text)) for field, text in fields]
        result = types.find("int")
    except KeyError:
        return None
    if blob.find(STRUCT, "bpf_iter__" + name) is None:
        blob.add_struct(STRUCT, "bpf_iter__" + name, 8 * len(fields), _context(types, fields))
    return blob.add_reference(FUNC, "bpf_iter_" + name, blob.add_proto(result, params))
