# SPDX-License-Identifier: MIT
"""The types that the generator of well-typed programs uses (tests/fuzz/typed): a program's own BTF and a small kernel's, as
a header with their bytes and the ids in them."""

from __future__ import annotations

from programs import btf as b


def program_types() -> tuple[bytes, dict[str, int]]:
    """Function prototypes, values with a lock and a timer, and one of every other kind."""
    btf = b.Btf()
    u32, u64, char = btf.int("unsigned int", 4, 0), btf.int("unsigned long long", 8, 0), btf.int("char", 1, b.CHAR)
    number = btf.int("int", 4)
    words = btf.array(u64, u32, 6)
    memory = btf.struct("memory", 48, [("words", words, 0)])
    context = {}
    for name in ("__sk_buff", "pt_regs", "xdp_md", "bpf_sock", "bpf_perf_event_data", "bpf_raw_tracepoint_args"):
        context[name] = btf.struct(name, 4, [("len", u32, 0)])
    lock = btf.struct("bpf_spin_lock", 4, [("val", u32, 0)])
    timer = btf.struct("bpf_timer", 16, [("words", btf.array(u64, u32, 2), 0)])
    locked = btf.struct("locked", 48, [("lock", lock, 0), ("number", u64, 64), ("more", btf.array(u64, u32, 4), 128)])
    timed = btf.struct("timed", 48, [("timer", timer, 0), ("more", btf.array(u64, u32, 4), 128)])
    task = btf.ptr(btf.modifier(b.TYPE_TAG, btf.struct("task_struct", 0, []), "kptr"))
    held = btf.struct("prog_test_ref_kfunc", 0, [])
    owned, borrowed = (btf.ptr(btf.modifier(b.TYPE_TAG, held, tag)) for tag in ("kptr_ref", "kptr"))
    kept = [("task", task, 0), ("owned", owned, 64), ("borrowed", borrowed, 128), ("more", btf.array(u64, u32, 3), 192)]
    kept = btf.struct("kept", 48, kept)
    section = [(btf.var("kept_object", owned), 0, 8), (btf.var("beside_it", btf.array(u64, u32, 5)), 8, 40)]
    kept_section = btf.datasec(".data.kept", 48, section)
    static = btf.func("step", btf.proto(number, [("a", u64), ("b", u64), ("c", u64)]))
    of_memory = btf.func("of_memory", btf.proto(number, [("m", btf.ptr(btf.modifier(b.CONST, memory))), ("n", number)]), b.GLOBAL)
    pointer = btf.ptr(btf.modifier(b.TYPEDEF, context["__sk_buff"], "ctx_t"))
    of_context = btf.func("of_context", btf.proto(number, [("ctx", pointer), ("n", number)]), b.GLOBAL)
    # what no program above needs, but blobs have
    btf.struct("either", 8, [("a", u32, 0), ("b", u64, 0)], kind=b.UNION)
    btf.struct("bits", 8, [("low", number, 3 << 24), ("high", u32, 5 << 24 | 3)], kflag=True)
    colour = btf.enum("colour", 4, [("RED", 0), ("GREEN", 1)])
    btf.struct("flags", 4, [("one", colour, 3 << 24), ("two", colour, 2 << 24 | 3)], kflag=True)
    btf.enum64("large", 8, [("HUGE", 1 << 40)])
    forward = btf.add(b.FWD, "elsewhere")
    btf.ptr(btf.modifier(b.VOLATILE, btf.modifier(b.CONST, forward)))
    btf.modifier(b.RESTRICT, btf.ptr(char))
    for size in (2, 4, 8, 12, 16):
        btf.add(b.FLOAT, f"float{size}", size)
    short, truth, huge = btf.int("short", 2), btf.int("_Bool", 1, b.BOOL), btf.int("__int128", 16)
    small = [btf.enum(f"enum{size}", size, [(f"E{size}", -1)]) for size in (1, 2, 8)]
    mixed = [("s", short, 0), ("b", truth, 16), ("e", small[1], 32), ("f", btf.add(b.FLOAT, "float", 4), 64), ("h", huge, 128)]
    btf.struct("mixed", 32, mixed)
    btf.add(b.FWD, "elsewhere_too", kflag=True)
    btf.struct("nothing", 0, [])
    btf.proto(number, [("n", number), ("", 0)])
    btf.proto(0, [])
    btf.array(btf.ptr(char), number, 3)
    btf.decl_tag("note", btf.modifier(b.TYPEDEF, number, "number_t"))
    btf.modifier(b.TYPE_TAG, u32, "tag")
    btf.decl_tag("note", memory)
    btf.decl_tag("note", memory, 0)
    btf.decl_tag("argument", static, 1)
    variable = btf.var("count", u32)
    btf.datasec(".data", 8, [(variable, 0, 4), (btf.var("last", number, b.STATIC), 4, 4)])
    ids = {"KEY": u32, "LOCKED": locked, "TIMER": timed, "KEPT": kept, "KEPT_SECTION": kept_section, "MEMORY": memory}
    ids |= {"STATIC": static, "GLOBAL_MEM": of_memory, "GLOBAL_CTX": of_context}
    ids |= {"FILE": btf.name("typed.c"), "LINE": btf.name("\treturn n;"), "OTHER_LINE": btf.name("int step(void)")}
    return btf.blob(), ids


def kernel_types() -> tuple[bytes, dict[str, int]]:
    """A kernel with a few functions and one tracepoint, whose arguments lead on."""
    btf = b.Btf()
    number, long, char = btf.int("int", 4), btf.int("long unsigned int", 8, 0), btf.int("char", 1)
    chars, void_ptr = btf.ptr(char), btf.ptr(0)
    inode = btf.struct("inode", 80, [("i_mode", number, 0), ("i_ino", long, 512)])
    dentry = btf.struct("dentry", 64, [("d_flags", number, 0), ("d_inode", btf.ptr(inode), 384)])
    path = btf.struct("path", 16, [("dentry", btf.ptr(dentry), 0), ("mnt", void_ptr, 64)])
    tagged = [("f_user", btf.ptr(btf.modifier(b.TYPE_TAG, inode, "user")), 320)]
    tagged += [("f_each", btf.ptr(btf.modifier(b.TYPE_TAG, inode, "percpu")), 384)]
    file = btf.struct("file", 64, [("f_u", long, 0), ("f_path", path, 128), ("f_flags", number, 256), *tagged])
    either = btf.struct("either", 8, [("count", number, 0), ("next", btf.ptr(file), 0)], kind=b.UNION)
    whole = [("state", long), ("pid", number), ("tgid", number), ("comm", btf.array(char, number, 16)), ("either", either)]
    places = dict(zip(("state", "pid", "tgid", "comm", "either"), (0, 64, 96, 128, 256), strict=True))
    members = [(name, kind, places[name]) for name, kind in whole]
    members += [("low", number, 3 << 24 | 320), ("high", number, 7 << 24 | 323), ("node", path, 384)]
    members += [("inodes", btf.array(inode, number, 2), 512), ("grid", btf.array(btf.array(number, number, 2), number, 2), 1792)]
    members += [("start_time", long, 8), ("address", btf.struct("words", 16, [("w", btf.array(number, number, 4), 0)]), 24)]
    members += [("parent", btf.ptr(btf.modifier(b.CONST, file)), 1920), ("tail", btf.array(path, number, 0), 1984)]
    members.sort(key=lambda member: member[2] & 0xFFFFFF)
    task = btf.struct("task_struct", 248, members, kflag=True)
    page = btf.ptr(btf.struct("page", 8, [("flags", long, 0)]))
    pair = btf.struct("pair", 16, [("a", long, 0), ("b", long, 64)])
    btf.struct("pt_regs", 168, [("di", long, 896)])
    read = [("file", btf.ptr(file)), ("buf", chars), ("count", long), ("pos", btf.ptr(long))]
    ids = {"READ": btf.func("vfs_read", btf.proto(long, read))}
    ids["PAGE"] = btf.func("mark_page_accessed", btf.proto(0, [("page", page)]))
    ids["PAIR"] = btf.func("of_pair", btf.proto(number, [("n", number), ("pair", pair), ("last", number)]))
    arguments = [(name, btf.ptr(btf.modifier(b.TYPE_TAG, inode, name))) for name in ("user", "percpu", "other")]
    ids["TAGGED"] = btf.func("tagged_arguments", btf.proto(number, arguments))
    rename = btf.proto(0, [("__data", void_ptr), ("task", btf.ptr(task)), ("comm", chars)])
    for name in ("tcp_sock", "tcp6_sock", "udp6_sock"):
        btf.struct(name, 8, [("flags", long, 0)])
    ids["VAR_NUMBER"], ids["VAR_STRUCT"] = btf.var("jiffies", long), btf.var("init_file", file)
    each = [btf.var("cpu_number", number), btf.var("runqueues", file)]
    ids["VAR_PERCPU"], ids["VAR_PERCPU_STRUCT"] = each
    btf.datasec(".data..percpu", 68, [(each[0], 0, 4), (each[1], 4, 64)])
    ulong = btf.ptr(long)
    seq = btf.ptr(btf.struct("seq_file", 8, [("count", long, 0)]))
    meta = btf.ptr(btf.struct("bpf_iter_meta", 24, [("seq", seq, 0), ("session_id", long, 64), ("seq_num", long, 128)]))
    bpf_map = btf.ptr(btf.struct("bpf_map", 32, [("id", number, 0), ("max", number, 64), ("type", number, 192)]))
    btf.struct("vm_area_struct", 16, [("vm_start", long, 0), ("vm_end", long, 64)])
    walked = {"TASK": ("task", [("task", btf.ptr(task))]),
              "FILE": ("task_file", [("task", btf.ptr(task)), ("fd", number), ("file", btf.ptr(file))]),
              "ELEM": ("bpf_map_elem", [("map", bpf_map), ("key", void_ptr), ("value", void_ptr)])}
    for key, (name, arguments) in walked.items():
        ids[f"ITER_{key}"] = btf.func(f"bpf_iter_{name}", btf.proto(number, [("meta", meta), *arguments]))
    sk_buff = btf.ptr(btf.struct("__sk_buff", 4, [("len", number, 0)]))
    common = btf.struct("sock_common", 8, [("flags", long, 0)])
    sock = btf.ptr(btf.struct("sock", 16, [("common", common, 0), ("more", long, 64)]))
    btf.struct("socket", 16, [("state", number, 0), ("sk", sock, 64)])
    ids["CLOSE"] = btf.func("tcp_close", btf.proto(0, [("sk", sock), ("timeout", long)]))
    innermost = btf.struct("prog_test_innermost", 8, [("x2", number, 0), ("x3", number, 32)])
    inner = btf.struct("prog_test_inner", 12, [("x1", number, 0), ("more", innermost, 32)])
    plain = btf.ptr(btf.struct("prog_test_pass1", 16, [("x0", number, 0), ("more", inner, 32)]))
    pair_of = btf.array(number, number, 2)
    # the struct behind the pointer points to itself: its number is the next
    this = btf.ptr(pair_of + 2)
    held = [("a", number, 0), ("b", number, 32), ("memb", pair_of, 64), ("next", this, 128), ("cnt", number, 192)]
    btf.struct("prog_test_ref_kfunc", 32, held)
    functions = {
        "ACQUIRE": ("acquire", this, [("scalar_ptr", ulong)]), "RELEASE": ("release", 0, [("p", this)]),
        "RDWR": ("get_rdwr_mem", btf.ptr(number), [("p", this), ("rdwr_buf_size", number)]),
        "RDONLY": ("get_rdonly_mem", btf.ptr(number), [("p", this), ("rdonly_buf_size", number)]),
        "REF": ("ref", 0, [("p", this)]), "CTX": ("pass_ctx", 0, [("skb", sk_buff)]), "PASS": ("pass1", 0, [("p", plain)]),
        "LEN": ("mem_len_pass1", 0, [("mem", void_ptr), ("mem__sz", number)]),
        "SUM": ("2", number, [("sk", sock), ("a", number), ("b", number)]),
        "SUM4": ("1", long, [("sk", sock), ("a", number), ("b", long), ("c", number), ("d", long)]),
        "KPTR_GET": ("kptr_get", this, [("pp", btf.ptr(this)), ("a", number), ("b", number)]), "DESTROY": ("destructive", 0, []),
    }
    for key, (name, returns, arguments) in functions.items():
        named = f"bpf_kfunc_call_test{'' if name.isdigit() else '_'}{name}"
        ids[f"KF_{key}"] = btf.func(named, btf.proto(returns, arguments))
    ids["RENAME"] = btf.modifier(b.TYPEDEF, btf.ptr(rename), "btf_trace_task_rename")
    return btf.blob(), ids


def module_types() -> tuple[bytes, dict[str, int]]:
    """A module's: one variable, by a name that the kernel has too."""
    btf = b.Btf()
    variable = btf.var("jiffies", btf.int("long unsigned int", 8, 0))
    return btf.blob(), {"VAR": variable}


def header() -> str:
    """types.h of tests/fuzz/typed."""
    text = "/* SPDX-License-Identifier: MIT */\n/* Made by typed_types.py. */\n"
    for name, (blob, ids) in {"types": program_types(), "kernel": kernel_types(), "module": module_types()}.items():
        text += "".join(f"#define {name.upper()}_{key} {value}\n" for key, value in ids.items())
        text += f"static const unsigned char {name}_blob[] __attribute__((unused)) = {{ {', '.join(map(str, blob))} }};\n"
    return text
