# SPDX-License-Identifier: MIT
"""What a program's section name says of its type, its attach type and what it attaches to: libbpf's rules (docs.kernel.org,
"Program Types and ELF Sections")."""

from typing import Dict, NamedTuple, Optional

TYPES = (
    "unspec socket_filter kprobe sched_cls sched_act tracepoint xdp perf_event cgroup_skb cgroup_sock lwt_in lwt_out lwt_xmit "
    "sock_ops sk_skb cgroup_device sk_msg raw_tracepoint cgroup_sock_addr lwt_seg6local lirc_mode2 sk_reuseport flow_dissector "
    "cgroup_sysctl raw_tracepoint_writable cgroup_sockopt tracing struct_ops ext lsm sk_lookup syscall"
).split()
TYPE = {name: number for number, name in enumerate(TYPES)}

SLEEPABLE = 1 << 4  # BPF_F_SLEEPABLE
XDP_HAS_FRAGS = 1 << 5
TRACE_RAW_TP, TRACE_FENTRY, TRACE_FEXIT, MODIFY_RETURN, LSM_MAC, TRACE_ITER, TRACE_KPROBE_MULTI = 23, 24, 25, 26, 27, 28, 42


class Section(NamedTuple):
    """What libbpf makes of a section."""

    type: int
    attach: int = 0
    flags: int = 0
    target: str = ""  # of the kernel's functions, the one that is attached to
    target_kind: str = ""  # "func", "typedef"


# Names that stand alone, or before "/" and more.
_SIMPLE = {
    "socket": ("socket_filter", 0),
    "kprobe": ("kprobe", 0), "kretprobe": ("kprobe", 0), "uprobe": ("kprobe", 0), "uretprobe": ("kprobe", 0),
    "ksyscall": ("kprobe", 0), "kretsyscall": ("kprobe", 0), "usdt": ("kprobe", 0),
    "kprobe.multi": ("kprobe", TRACE_KPROBE_MULTI), "kretprobe.multi": ("kprobe", TRACE_KPROBE_MULTI),
    "tc": ("sched_cls", 0), "classifier": ("sched_cls", 0), "action": ("sched_act", 0),
    "tracepoint": ("tracepoint", 0), "tp": ("tracepoint", 0),
    "raw_tracepoint": ("raw_tracepoint", 0), "raw_tp": ("raw_tracepoint", 0),
    "raw_tracepoint.w": ("raw_tracepoint_writable", 0), "raw_tp.w": ("raw_tracepoint_writable", 0),
    "perf_event": ("perf_event", 0),
    "xdp": ("xdp", 37), "xdp/devmap": ("xdp", 33), "xdp/cpumap": ("xdp", 35),
    "cgroup/skb": ("cgroup_skb", 0), "cgroup_skb/ingress": ("cgroup_skb", 0), "cgroup_skb/egress": ("cgroup_skb", 1),
    "cgroup/sock": ("cgroup_sock", 2), "cgroup/sock_create": ("cgroup_sock", 2), "cgroup/sock_release": ("cgroup_sock", 34),
    "cgroup/post_bind4": ("cgroup_sock", 12), "cgroup/post_bind6": ("cgroup_sock", 13),
    "cgroup/dev": ("cgroup_device", 6), "cgroup/sysctl": ("cgroup_sysctl", 18),
    "cgroup/getsockopt": ("cgroup_sockopt", 21), "cgroup/setsockopt": ("cgroup_sockopt", 22),
    "cgroup/bind4": ("cgroup_sock_addr", 8), "cgroup/bind6": ("cgroup_sock_addr", 9),
    "cgroup/connect4": ("cgroup_sock_addr", 10), "cgroup/connect6": ("cgroup_sock_addr", 11),
    "cgroup/sendmsg4": ("cgroup_sock_addr", 14), "cgroup/sendmsg6": ("cgroup_sock_addr", 15),
    "cgroup/recvmsg4": ("cgroup_sock_addr", 19), "cgroup/recvmsg6": ("cgroup_sock_addr", 20),
    "cgroup/getpeername4": ("cgroup_sock_addr", 29), "cgroup/getpeername6": ("cgroup_sock_addr", 30),
    "cgroup/getsockname4": ("cgroup_sock_addr", 31), "cgroup/getsockname6": ("cgroup_sock_addr", 32),
    "lwt_in": ("lwt_in", 0), "lwt_out": ("lwt_out", 0), "lwt_xmit": ("lwt_xmit", 0), "lwt_seg6local": ("lwt_seg6local", 0),
    "sockops": ("sock_ops", 3), "sk_skb": ("sk_skb", 0), "sk_skb/stream_parser": ("sk_skb", 4),
    "sk_skb/stream_verdict": ("sk_skb", 5), "sk_msg": ("sk_msg", 7), "lirc_mode2": ("lirc_mode2", 17),
    "sk_reuseport": ("sk_reuseport", 39), "sk_reuseport/migrate": ("sk_reuseport", 40),
    "flow_dissector": ("flow_dissector", 16), "sk_lookup": ("sk_lookup", 36), "syscall": ("syscall", 0),
    "struct_ops": ("struct_ops", 0), "freplace": ("ext", 0),
}  # fmt: skip
_MAY_SLEEP = {"uprobe", "uretprobe", "usdt", "syscall", "struct_ops"}
# The part after "/" names what is attached to: attach type, kind of the BTF type, prefix of its name, program type.
_BTF = {
    "tp_btf": (TRACE_RAW_TP, "typedef", "btf_trace_", "tracing"),
    "fentry": (TRACE_FENTRY, "func", "", "tracing"),
    "fexit": (TRACE_FEXIT, "func", "", "tracing"),
    "fmod_ret": (MODIFY_RETURN, "func", "", "tracing"),
    "iter": (TRACE_ITER, "func", "bpf_iter_", "tracing"),
    "lsm": (LSM_MAC, "func", "bpf_lsm_", "lsm"),
    "lsm_cgroup": (43, "func", "bpf_lsm_", "lsm"),
}


def _longest(name: str, table: Dict[str, object]) -> str:
    """The longest entry that is the name, or its beginning up to a "/"."""
    found = ""
    for entry in table:
        if (name == entry or name.startswith(entry + "/")) and len(entry) > len(found):
            found = entry
    return found


def parse(name: str) -> Optional[Section]:
    """What the section's name means; None: nothing that is known."""
    name = name.lstrip("?")
    if name.startswith("xdp.frags"):
        found = parse("xdp" + name[len("xdp.frags") :])
        return found and found._replace(flags=XDP_HAS_FRAGS)
    head, _, rest = name.partition("/")
    sleepable = head.endswith(".s")
    if sleepable:
        head = head[:-2]
    flags = SLEEPABLE if sleepable else 0
    if head in _BTF and (rest or head != "iter"):
        attach, kind, prefix, prog_type = _BTF[head]
        return Section(TYPE[prog_type], attach, flags, prefix + rest if rest else "", kind)
    if sleepable and head not in _MAY_SLEEP:
        return None
    entry = _longest(head + ("/" + rest if rest else ""), _SIMPLE)
    if not entry:
        return None
    prog_type, attach = _SIMPLE[entry]
    return Section(TYPE[prog_type], attach, flags)
