# SPDX-License-Identifier: MIT
"""Holds what the selftests' iterators over sockets and routes tell against /proc/net, inside a machine: net_iterators.py RUNNER
DIRECTORY-OF-OBJECTS prints one JSON object, of each program "ok" or what is wrong."""

import json
import os
import re
import socket
import subprocess
import sys
import time

# object, program, file, whose header is the program's as well; columns that do not change by being looked at
PROGRAMS = (
    ("bpf_iter_tcp4", "dump_tcp4", "tcp", (1, 2, 3, 4, 7, 9)),
    ("bpf_iter_tcp6", "dump_tcp6", "tcp6", (1, 2, 3, 4, 7, 9)),
    ("bpf_iter_udp4", "dump_udp4", "udp", (0, 1, 2, 3, 4, 7, 9, 12)),
    ("bpf_iter_udp6", "dump_udp6", "udp6", (0, 1, 2, 3, 4, 7, 9, 12)),
    ("bpf_iter_unix", "dump_unix", "unix", (2, 3, 4, 5, 6, 7)),
    ("bpf_iter_netlink", "dump_netlink", "netlink", (1, 2, 3, 4, 5, 6, 8, 9)),
    ("bpf_iter_ipv6_route", "dump_ipv6_route", "ipv6_route", (0, 1, 2, 3, 4, 5, 7, 8, 9)),
    ("bpf_iter_bpf_sk_storage_helpers", "negate_socket_local_storage", None, ()),
)


def sockets():
    """Some of each kind; what they say is read by nobody."""
    held = []
    for family, where in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        listener = socket.socket(family)
        listener.bind((where, 0))
        listener.listen(8)
        held.append(listener)
        for _ in range(2):
            client = socket.socket(family)
            client.connect(listener.getsockname())
            client.send(b"unread")
            held += [client, listener.accept()[0]]
        held.pop(-2).close()
        time.sleep(0.2)
        held.pop().close()
        for _ in range(3):
            held.append(socket.socket(family, socket.SOCK_DGRAM))
            held[-1].bind((where, 0))
        held[-1].connect(held[-2].getsockname())
        held[-1].send(b"unread")
    for name in ("/tmp/net-iterators.%d" % os.getpid(), "\0net\0iterators", None):
        held.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        if name:
            held[-1].bind(name)
            held[-1].listen(2)
    held.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    held[-1].connect(held[-3].getsockname())
    for groups in (0, 1, 4):
        held.append(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
        held[-1].bind((0, groups))
    time.sleep(0.3)
    return held


def rows(text, header, columns):
    lines = text.splitlines()[header:]
    return sorted([(line.split() + [""] * 8)[i] for i in columns] for line in lines)


def judge(runner, objects, name, program, file, columns):
    for _ in range(3):
        done = subprocess.run([runner, "%s/%s.bpf.o" % (objects, name), program], capture_output=True, text=True)
        if done.returncode == 2:
            told = re.search(r"(invalid CO-RE relocation|failed to find kernel BTF type ID)", done.stderr)
            return told.group(1) if told else done.stderr[-1500:]
        if done.returncode:
            return done.stderr[-1500:]
        if not file:
            return "ok" if not done.stdout else done.stdout
        header = int(file != "ipv6_route")
        with open("/proc/net/" + file) as wanted:
            expected = rows(wanted.read(), header, columns)
        found = rows(done.stdout, header, columns)
        if found == expected and found:
            return "ok"
    return "told %r, in /proc/net %r" % (
        [each for each in found if each not in expected],
        [each for each in expected if each not in found],
    )


def main():
    runner, objects = sys.argv[1:]
    held = sockets()
    json.dump({program: judge(runner, objects, name, program, *more) for name, program, *more in PROGRAMS}, sys.stdout)
    for sock in held:
        sock.close()


if __name__ == "__main__":
    main()
