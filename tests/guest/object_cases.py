# SPDX-License-Identifier: MIT
"""Runs inside a machine: fds, ids, references and privileges of objects. Prints {case: "ok" or what was wrong} as JSON.

The same natively and on the module. Standard library only.
"""

import array
import ctypes
import fcntl
import hashlib
import json
import os
import socket
import struct
import subprocess
import sys
import time
import traceback

import bpfsys as b

KEY = struct.pack("<I", 1)
CASES = []


def case(function):
    CASES.append(function)
    return function


def value(number):
    return struct.pack("<Q", number)


def array_map(name=b"objects"):
    return b.check(b.map_create(b.ARRAY, 4, 8, 4, name=name), "map")


def program_with(fd):
    """A raw tracepoint program that holds a map and returns the low half of its first argument plus one."""
    code = b.insn(0x79, 6, 1, 0) + b.ld_imm64(2, 1, fd) + b.insn(0xBF, 0, 6) + b.insn(0x07, 0, 0, 0, 1) + b.EXIT
    return code, b.check(b.prog_load(code, b.RAW_TRACEPOINT, prog_name=b"holder"), "program")


def next_ids(command):
    found, ident = [], 0
    while True:
        attr = b.buf(struct.pack("<III", ident, 0, 0))
        if b.call(command, attr) < 0:
            return found
        ident = struct.unpack_from("<I", attr, 4)[0]
        found.append(ident)


def info(fd, size):
    data = b.buf(size)
    b.check(b.call(b.OBJ_GET_INFO_BY_FD, struct.pack("<IIQ", fd, size, b.addr(data))), "info")
    return data.raw


def map_id(fd):
    return struct.unpack_from("<I", info(fd, 80), 4)[0]


def prog_info(fd):
    data = info(fd, 224)
    return {
        "type": struct.unpack_from("<I", data, 0)[0],
        "id": struct.unpack_from("<I", data, 4)[0],
        "tag": data[8:16],
        "maps": struct.unpack_from("<I", data, 52)[0],
        "name": data[64:80].split(b"\0")[0],
        "run_cnt": struct.unpack_from("<Q", data, 200)[0],
    }


def eventually(condition, seconds=5):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def in_child(function):
    """What the function returned (a small number) in a forked child."""
    pid = os.fork()
    if not pid:
        try:
            os._exit(function())
        except BaseException:
            traceback.print_exc()
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@case
def fds_close_on_exec():
    btf = b.check(b.btf_load(b.btf_blob(b.BTF_INT, b"\0int\0")), "BTF")
    for fd in (array_map(), b.check(b.prog_load(), "program"), btf):
        assert fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
        os.close(fd)


@case
def duplicates_outlive_the_first():
    fd = array_map()
    copy = os.dup(fd)
    os.close(fd)
    assert b.update(copy, KEY, value(7)) == 0
    assert b.lookup(copy, KEY, 8) == value(7)
    os.close(copy)


@case
def children_share_a_map():
    fd = array_map()
    assert in_child(lambda: -b.update(fd, KEY, value(8))) == 0
    assert b.lookup(fd, KEY, 8) == value(8)
    os.close(fd)


@case
def fds_pass_through_sockets():
    here, there = socket.socketpair()
    fd = array_map()
    here.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
    b.check(b.update(fd, KEY, value(9)))
    os.close(fd)
    fds = array.array("i")
    fds.frombytes(there.recvmsg(1, 64)[1][0][2][:4])
    assert b.lookup(fds[0], KEY, 8) == value(9)
    os.close(fds[0])
    here.close()
    there.close()


@case
def ids_come_and_go():
    fd = array_map()
    ident = map_id(fd)
    assert ident in next_ids(b.MAP_GET_NEXT_ID)
    again = b.check(b.call(b.MAP_GET_FD_BY_ID, struct.pack("<III", ident, 0, 0)), "by id")
    os.close(fd)
    assert b.update(again, KEY, value(1)) == 0
    os.close(again)
    assert eventually(lambda: ident not in next_ids(b.MAP_GET_NEXT_ID))
    assert b.call(b.MAP_GET_FD_BY_ID, struct.pack("<III", ident, 0, 0)) == -2


@case
def access_of_an_fd_by_id():
    fd = array_map()
    reader = b.check(b.call(b.MAP_GET_FD_BY_ID, struct.pack("<III", map_id(fd), 0, b.F_RDONLY)), "by id")
    assert b.update(reader, KEY, value(1)) == -1
    assert b.lookup(reader, KEY, 8) == value(0)
    os.close(reader)
    os.close(fd)


@case
def tags_are_hashes_of_the_instructions():
    fd = array_map()
    code, prog = program_with(fd)
    blank = code[:8] + b.ld_imm64(2, 1, 0) + code[24:]
    told = prog_info(prog)
    assert told["tag"] == hashlib.sha1(blank).digest()[:8], told
    assert (told["name"], told["type"], told["maps"]) == (b"holder", b.RAW_TRACEPOINT, 1), told
    os.close(prog)
    os.close(fd)


@case
def programs_keep_their_maps():
    fd = array_map()
    ident = map_id(fd)
    prog = program_with(fd)[1]
    os.close(fd)
    time.sleep(0.2)
    assert ident in next_ids(b.MAP_GET_NEXT_ID)
    os.close(prog)
    assert eventually(lambda: ident not in next_ids(b.MAP_GET_NEXT_ID))


@case
def bound_maps_are_kept():
    first, second = array_map(), array_map(b"bound")
    ident = map_id(second)
    prog = program_with(first)[1]
    for _ in range(2):      # the second time changes nothing
        b.check(b.call(b.PROG_BIND_MAP, struct.pack("<III", prog, second, 0)), "bind")
    assert prog_info(prog)["maps"] == 2
    os.close(second)
    time.sleep(0.2)
    assert ident in next_ids(b.MAP_GET_NEXT_ID)
    os.close(prog)
    assert eventually(lambda: ident not in next_ids(b.MAP_GET_NEXT_ID))
    os.close(first)


def run_raw(prog, argument, flags=0, cpu=0):
    context = b.buf(struct.pack("<Q", argument))
    fields = (prog, 0, 0, 0, 0, 0, 0, 0, 8, 0, b.addr(context), 0, flags, cpu, 0)
    attr = b.buf(struct.pack("<IIIIQQIIIIQQIII", *fields))
    ret = b.call(b.PROG_TEST_RUN, attr)
    return ret if ret < 0 else struct.unpack_from("<I", attr, 4)[0]


@case
def raw_tracepoints_run_on_any_cpu():
    fd = array_map()
    prog = program_with(fd)[1]
    assert run_raw(prog, 41) == 42
    for cpu in range(os.cpu_count()):
        assert run_raw(prog, 100 + cpu, 1, cpu) == 101 + cpu
    assert run_raw(prog, 1, 1, 4095) == -6
    os.close(prog)
    os.close(fd)


@case
def packets_run_as_often_as_asked():
    stats = b.check(b.call(b.ENABLE_STATS, struct.pack("<I", 0)), "stats")
    prog = b.check(b.prog_load(b.insn(0xB7, 0, 0, 0, 5) + b.EXIT), "program")
    data = b.buf(64)
    attr = b.buf(struct.pack("<IIIIQQIIIIQQ", prog, 0, 64, 0, b.addr(data), 0, 123, 0, 0, 0, 0, 0))
    b.check(b.call(b.PROG_TEST_RUN, attr), "run")
    assert struct.unpack_from("<I", attr, 4)[0] == 5
    assert struct.unpack_from("<I", attr, 12)[0] == 64
    assert prog_info(prog)["run_cnt"] == 123
    shown = subprocess.run(["bpftool", "-j", "prog", "show", "id", str(prog_info(prog)["id"])], stdout=subprocess.PIPE, check=True)
    shown = json.loads(shown.stdout)
    assert shown["run_cnt"] == 123, shown
    assert shown["run_time_ns"] > 0, shown
    os.close(stats)
    b.check(b.call(b.PROG_TEST_RUN, attr), "run")
    assert prog_info(prog)["run_cnt"] == 123
    os.close(prog)


@case
def links_detach_with_their_last_fd():
    stats = b.check(b.call(b.ENABLE_STATS, struct.pack("<I", 0)), "stats")
    prog = b.check(b.prog_load(b.RETURN0, b.RAW_TRACEPOINT), "program")
    name = b.buf(b"sched_switch\0")
    link = b.check(b.call(b.RAW_TRACEPOINT_OPEN, struct.pack("<QI4x", b.addr(name), prog)[:12]), "link")
    text = open(f"/proc/self/fdinfo/{link}").read()
    assert "link_type:\traw_tracepoint" in text, text
    assert f"prog_id:\t{prog_info(prog)['id']}\n" in text, text
    other = os.dup(link)
    os.close(link)
    before = prog_info(prog)["run_cnt"]
    time.sleep(0.1)
    assert prog_info(prog)["run_cnt"] > before
    os.close(other)
    time.sleep(0.1)
    before = prog_info(prog)["run_cnt"]
    time.sleep(0.1)
    assert prog_info(prog)["run_cnt"] == before > 0
    os.close(prog)
    os.close(stats)


@case
def the_unprivileged_make_nothing():
    fd = array_map()
    ident = map_id(fd)
    b.check(b.update(fd, KEY, value(3)))

    def child():
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        answers = [
            b.map_create(b.ARRAY, 4, 8, 4),
            b.prog_load(),
            b.prog_load(b.RETURN0, b.KPROBE),
            b.btf_load(b.btf_blob(b.BTF_INT, b"\0int\0")),
            b.call(b.MAP_GET_NEXT_ID, struct.pack("<III", 0, 0, 0)),
            b.call(b.MAP_GET_FD_BY_ID, struct.pack("<III", ident, 0, 0)),
            b.call(b.ENABLE_STATS, struct.pack("<I", 0)),
        ]
        # What it was given it may use, as on Linux.
        kept = b.lookup(fd, KEY, 8) == value(3)
        if answers == [-1] * len(answers) and kept:
            return 0
        print(answers, kept, file=sys.stderr)
        return 1

    assert in_child(child) == 0
    os.close(fd)


@case
def attributes_of_other_sizes():
    fd = array_map()
    attr = struct.pack("<I4xQQQ", fd, b.addr(b.buf(KEY)), b.addr(b.buf(8)), 0)
    assert b.call(b.MAP_LOOKUP_ELEM, attr + bytes(1000)) == 0
    assert b.call(b.MAP_LOOKUP_ELEM, attr + bytes(999) + b"\1") == -7
    assert b.call(b.MAP_LOOKUP_ELEM, attr + bytes(4096)) == -7
    assert b.call(b.MAP_LOOKUP_ELEM, attr[:24]) == 0
    assert b.call(b.MAP_LOOKUP_ELEM, attr + b"\1") == -22
    assert b.call(b.MAP_LOOKUP_ELEM, 4096, 32) == -14
    assert b.call(1 << 20, attr) == -22
    os.close(fd)


@case
def information_fits_any_size():
    fd = array_map()
    size = 88
    data = b.buf(size + 16)
    attr = b.buf(struct.pack("<IIQ", fd, 8, b.addr(data)))
    b.check(b.call(b.OBJ_GET_INFO_BY_FD, attr), "info")
    assert struct.unpack_from("<I", data, 0)[0] == b.ARRAY
    assert data.raw[8:] == bytes(size + 8)
    attr = b.buf(struct.pack("<IIQ", fd, size + 16, b.addr(data)))
    b.check(b.call(b.OBJ_GET_INFO_BY_FD, attr), "info")
    assert struct.unpack_from("<I", attr, 4)[0] == size
    ctypes.memset(b.addr(data) + size, 1, 1)
    assert b.call(b.OBJ_GET_INFO_BY_FD, b.buf(struct.pack("<IIQ", fd, size + 16, b.addr(data)))) == -7
    os.close(fd)


def main():
    answers = {}
    for function in CASES:
        try:
            function()
            answers[function.__name__] = "ok"
        except Exception:
            answers[function.__name__] = traceback.format_exc(limit=-2)
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
