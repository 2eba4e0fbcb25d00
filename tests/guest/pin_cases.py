# SPDX-License-Identifier: MIT
"""Objects at paths (BPF_OBJ_PIN, BPF_OBJ_GET), run inside a machine: prints one JSON object (casework.py)."""

import ctypes
import errno
import json
import os
import stat
import struct
import tempfile
import time
import traceback

import bpfsys as b
import iter_cases
from asm import R0, R1, R2, R10, add_imm, asm, atomic, call, exit_, jmp_imm, ld_map, mov, mov_imm, st, stx
from casework import EACCES, EEXIST, EINVAL, ENOENT, EPERM, Cases, Map, children, k32, same, v64

case = Cases()
MAGIC = 0xCAFE4A11
ENOTEMPTY, EIO = -errno.ENOTEMPTY, -errno.EIO
LOOKUP = 1
libc = b.libc
MS_RDONLY, MS_REMOUNT, MNT_DETACH, O_PATH = 1, 32, 2, 0o10000000
NOBODY = 65534


def mount(at, options="", flags=0):
    return -ctypes.get_errno() if libc.mount(b"none", at.encode(), b"bpf", flags, options.encode()) else 0


class Mounted:
    """A file system of its own: the path."""

    def __init__(self, options=""):
        self.path = tempfile.mkdtemp()
        b.check(mount(self.path, options), "mount")

    def __enter__(self):
        return self.path

    def __exit__(self, wrong, *_):
        if libc.umount2(self.path.encode(), MNT_DETACH if wrong else 0):
            raise OSError(ctypes.get_errno(), "umount")
        os.rmdir(self.path)


def pin(fd, path, flags=0):
    return b.call(b.OBJ_PIN, struct.pack("<QII", b.addr(b.buf(path.encode() + b"\0")), fd, flags))


def get(path, flags=0, fd=0):
    return b.call(b.OBJ_GET, struct.pack("<QII", b.addr(b.buf(path.encode() + b"\0")), fd, flags))


def close(*fds):
    for fd in fds:
        os.close(b.check(fd, "fd"))


def refused(call, *args):
    """The errno of a system call, 0 if it is not refused."""
    try:
        result = call(*args)
    except OSError as error:
        return -error.errno
    if isinstance(result, int) and call is os.open:
        os.close(result)
    return 0


def number(fd):
    """The id of a map or program."""
    info = b.buf(80)
    b.check(b.call(b.OBJ_GET_INFO_BY_FD, b.buf(struct.pack("<IIQ", fd, 80, b.addr(info)))), "OBJ_GET_INFO_BY_FD")
    return struct.unpack_from("<I", info.raw, 4)[0]


def is_there(command, wanted):
    fd = b.call(command, struct.pack("<III", wanted, 0, 0))
    if fd >= 0:
        os.close(fd)
    return fd != ENOENT


def goes(command, wanted):
    """Objects are freed behind the back of who lets go of them."""
    end = time.monotonic() + 20
    while is_there(command, wanted):
        assert time.monotonic() < end, f"{wanted} is still there"
        time.sleep(0.01)


@case
def looks_like_linux_own():
    with Mounted() as at:
        answer = b.buf(256)
        same(libc.statfs(at.encode(), answer), 0)
        same(struct.unpack_from("<q", answer.raw)[0], MAGIC)
        same(stat.filemode(os.stat(at).st_mode), "drwxrwxrwt")
        root = os.stat(at)
        same((os.listdir(at), root.st_ino, root.st_uid, root.st_gid, root.st_nlink), ([], 1, 0, 0, 2))
    with Mounted("mode=0750,whatever=1") as at:
        same(stat.filemode(os.stat(at).st_mode), "drwxr-x--T")
        line = next(line for line in open("/proc/mounts") if line.split()[1] == at)
        assert "mode=750" in line.split()[3].split(","), line
    there = tempfile.mkdtemp()
    same(mount(there, "mode=nine"), EINVAL)
    os.rmdir(there)


@case
def keeps_what_it_holds():
    with Mounted() as at:
        with Map(b.HASH, 4, 8, 4) as m:
            same(m.put(k32(1), v64(11)), 0)
            same(pin(m.fd, at + "/map"), 0)
            map_id = number(m.fd)
        prog = b.check(b.prog_load(), "prog")
        same(pin(prog, at + "/prog"), 0)
        prog_id = number(prog)
        os.close(prog)
        same(sorted(os.listdir(at)), ["map", "prog"])
        again = b.check(get(at + "/map"), "get")
        same((number(again), b.lookup(again, k32(1), 8)), (map_id, v64(11)))
        os.close(again)
        again = b.check(get(at + "/prog"), "get")
        same(number(again), prog_id)
        os.close(again)
        assert is_there(b.MAP_GET_FD_BY_ID, map_id)
        os.unlink(at + "/map")
        goes(b.MAP_GET_FD_BY_ID, map_id)
        assert is_there(b.PROG_GET_FD_BY_ID, prog_id)
    # what was left goes with the file system
    goes(b.PROG_GET_FD_BY_ID, prog_id)


@case
def answers():
    with Mounted() as at, Map(b.ARRAY, 4, 8, 1) as m:
        elsewhere = tempfile.mkdtemp()
        same(pin(m.fd, elsewhere + "/map"), EPERM, "another file system")
        same(pin(m.fd, at + "/none/map"), ENOENT)
        same(pin(m.fd, at + "/a.b"), EPERM, "a dot")
        same(pin(m.fd, at), EEXIST)
        same(pin(m.fd, at + "/map", 1), EINVAL, "flag")
        same(pin(m.fd, at + "/map"), 0)
        same(pin(m.fd, at + "/map"), EEXIST)
        same(pin(m.fd, at + "/" + "x" * 300), -errno.ENAMETOOLONG)
        btf = b.check(b.btf_load(b.btf_blob(b.BTF_INT, b"\0int\0")), "BTF_LOAD")
        same(pin(btf, at + "/btf"), EINVAL, "BTF")
        os.close(btf)
        with open("/dev/null") as file:
            same(pin(file.fileno(), at + "/file"), EINVAL)
        same(pin(12345, at + "/fd"), EINVAL, "no fd")
        same(pin(m.fd, ""), ENOENT)
        same(pin(m.fd, at + "/x/"), ENOENT)
        same(b.call(b.OBJ_PIN, struct.pack("<QII", 8, m.fd, 0)), -errno.EFAULT)
        same(os.listdir(at), ["map"])
        same(get(at + "/none"), ENOENT)
        same(get(at), EACCES, "a directory")
        same(get(elsewhere), EACCES, "another file system")
        same(get(at + "/map", 3 << 3), EINVAL, "neither read nor written")
        same(get(at + "/map", 1), EINVAL, "flag")
        same(get(at + "/map", 0, 1), EINVAL, "fd")
        same(get(at + "/map/more"), -errno.ENOTDIR)
        os.rmdir(elsewhere)


@case
def access():
    with Mounted() as at, Map(b.ARRAY, 4, 8, 1) as m:
        same(pin(m.fd, at + "/map"), 0)
        same(stat.filemode(os.stat(at + "/map").st_mode), "-rw-------")
        for flags, read, written in ((b.F_RDONLY, bytes(8), EPERM), (b.F_WRONLY, EPERM, 0), (0, bytes(8), 0)):
            fd = b.check(get(at + "/map", flags), "get")
            same(b.lookup(fd, k32(0), 8), read, "flags %d" % flags)
            same(b.update(fd, k32(0), bytes(8)), written, "flags %d" % flags)
            os.close(fd)
        same([refused(os.open, at + "/map", flags) for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR)], [EIO] * 3)
        mask = os.umask(0o277)
        try:
            same(pin(m.fd, at + "/closed"), 0)
        finally:
            os.umask(mask)
        same(stat.filemode(os.stat(at + "/closed").st_mode), "-r--------")


def in_child(function):
    """What it returns in a process of its own, as JSON has it."""
    here, there = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            answer = {"returned": function()}
        except BaseException:
            answer = {"failed": traceback.format_exc()}
        with os.fdopen(there, "w") as out:
            json.dump(answer, out)
        os._exit(0)
    os.close(there)
    with os.fdopen(here) as told:
        text = told.read()
    os.waitpid(pid, 0)
    answer = json.loads(text)
    assert "failed" not in answer, "in the child:\n" + answer["failed"]
    return answer["returned"]


def as_nobody(*calls):
    """What each of these functions returns to who has no privileges."""

    def ask():
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        return [call() for call in calls]

    return in_child(ask)


@case
def files_of_an_iterator_have_permissions():
    """The commands are for the privileged, where unprivileged BPF is off; a file is for whom its mode says."""
    with Mounted() as at:
        prog = iter_cases.iterator("bpf_map", *iter_cases.unless_over(), st(8, R10, -8, 1), *iter_cases.write(8))
        link = b.check(iter_cases.link_create(prog), "link")
        same(pin(link, at + "/maps"), 0)
        close(prog, link)

        def looks():
            return refused(os.open, at + "/maps", os.O_RDONLY)

        def removes():
            return refused(os.unlink, at + "/maps")

        with Map(b.ARRAY, 4, 8, 1):
            same(as_nobody(looks, removes), [EACCES, EPERM])
            os.chmod(at + "/maps", 0o444)
            same(as_nobody(looks, lambda: len(open(at + "/maps", "rb").read()) > 0), [0, True])
        os.chmod(at, 0o755)
        same(as_nobody(lambda: refused(os.mkdir, at + "/dir")), [EACCES])
        os.chmod(at, 0o1777)
        same(as_nobody(lambda: refused(os.mkdir, at + "/dir")), [0])
        same(os.stat(at + "/dir").st_uid, NOBODY)


@case
def permissions_of_who_is_root_no_more():
    """CAP_SYS_ADMIN alone does not open a file: DAC_OVERRIDE is another capability."""
    with Mounted() as at, Map(b.ARRAY, 4, 8, 1) as m:
        same(pin(m.fd, at + "/map"), 0)
        os.chown(at + "/map", NOBODY, NOBODY)
        prog = b.check(b.prog_load(), "prog")
        same(pin(prog, at + "/prog"), 0)
        os.close(prog)
        os.chown(at + "/prog", NOBODY, NOBODY)
        found = {}
        for mode in (0o600, 0o604, 0o602, 0o606):
            os.chmod(at + "/map", mode)
            os.chmod(at + "/prog", mode)
            found[mode] = without_override(at + "/map", at + "/prog")
        no, ok = EACCES, 0
        # by flags: none, read, write; of the map and of the program
        same(found, {0o600: [no, no, no] * 2, 0o604: [no, ok, no] * 2, 0o602: [no, no, ok] * 2, 0o606: [ok, ok, ok] * 2})


def without_override(*paths):
    """The errno of BPF_OBJ_GET by flags and path, for root without the capabilities that pass over a file's mode."""

    def ask():
        header, both = struct.pack("<Ii", 0x20080522, 0), b.buf(24)
        assert not libc.capget(b.buf(header), both)
        sets = list(struct.unpack("<6I", both.raw[:24]))
        sets[0] &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        assert not libc.capset(b.buf(header), b.buf(struct.pack("<6I", *sets)))
        return [min(get(path, flags), 0) for path in paths for flags in (0, b.F_RDONLY, b.F_WRONLY)]

    return in_child(ask)


@case
def mounted_to_be_read():
    with Mounted() as at, Map(b.ARRAY, 4, 8, 1) as m:
        same(pin(m.fd, at + "/map"), 0)
        same(mount(at, flags=MS_REMOUNT | MS_RDONLY), 0)
        same(pin(m.fd, at + "/more"), -errno.EROFS)
        same((get(at + "/map"), get(at + "/map", b.F_WRONLY)), (-errno.EROFS, -errno.EROFS))
        close(get(at + "/map", b.F_RDONLY))


@case
def renamed_over_it_goes():
    """Of each kind the last reference may go by a rename, and by the last of two names."""
    with Mounted() as at:

        def check(what, command):
            wanted = number(what)
            same(pin(what, at + "/old"), 0)
            os.link(at + "/old", at + "/other")
            os.close(what)
            with Map(b.ARRAY, 4, 8, 1) as m:
                same(pin(m.fd, at + "/new"), 0)
            os.rename(at + "/new", at + "/old")
            time.sleep(0.05)
            assert is_there(command, wanted), "another name is left"
            os.rename(at + "/old", at + "/other")
            goes(command, wanted)
            os.unlink(at + "/other")
            same(os.listdir(at), [])

        check(b.check(b.map_create(b.HASH, 4, 8, 1), "map"), b.MAP_GET_FD_BY_ID)
        check(b.check(b.prog_load(), "prog"), b.PROG_GET_FD_BY_ID)
        prog = b.check(b.prog_load(b.RETURN0, b.RAW_TRACEPOINT), "prog")
        name = b.buf(b"sys_enter\0")
        check(b.check(b.call(b.RAW_TRACEPOINT_OPEN, struct.pack("<QI", b.addr(name), prog)), "attach"), b.LINK_GET_FD_BY_ID)
        os.close(prog)
        entry = b.Prog(asm(mov_imm(R0, 0), exit_()), iter_cases.TRACING, expected_attach_type=24,
                       attach_btf_id=iter_cases.BTF.find(iter_cases.FUNC, "vfs_read"))  # fmt: skip
        prog = b.check(entry.load(), "fentry")
        check(b.check(b.call(b.RAW_TRACEPOINT_OPEN, struct.pack("<QI", 0, prog)), "attach"), b.LINK_GET_FD_BY_ID)
        os.close(prog)


@case
def files_as_users_move_them():
    with Mounted() as at, Map(b.ARRAY, 4, 8, 1) as m:
        os.mkdir(at + "/dir")
        os.mkdir(at + "/dir/dir", 0o700)
        same(os.stat(at).st_nlink, 3)
        same(pin(m.fd, at + "/dir/map"), 0)
        os.rename(at + "/dir/map", at + "/moved")
        os.link(at + "/moved", at + "/dir/second")
        os.symlink("dir/second", at + "/link")
        same((os.readlink(at + "/link"), os.stat(at + "/link").st_nlink), ("dir/second", 2))
        close(get(at + "/link"), get(at + "/moved"), get(at + "/dir/second"))
        os.unlink(at + "/moved")
        close(get(at + "/link"))
        same(refused(os.rmdir, at + "/dir"), ENOTEMPTY)
        same(refused(os.rename, at + "/dir/second", at + "/dir/dir"), -errno.EISDIR)
        same(refused(os.mkdir, at + "/a.b"), EPERM)
        same(refused(os.mkfifo, at + "/fifo"), EPERM)
        same(refused(os.open, at + "/file", os.O_CREAT | os.O_RDWR), EACCES)
        same(refused(os.mkdir, at + "/dir"), EEXIST)
        os.unlink(at + "/dir/second")
        same(get(at + "/link"), ENOENT)
        os.rmdir(at + "/dir/dir")
        os.rmdir(at + "/dir")
        same(os.listdir(at), ["link"])
        os.chmod(at, 0o2755)
        os.chown(at, 0, 77)
        os.mkdir(at + "/dir")
        same(pin(m.fd, at + "/map"), 0)
        same((os.stat(at + "/dir").st_gid, os.stat(at + "/map").st_gid), (77, 77))
        assert os.stat(at + "/dir").st_mode & stat.S_ISGID


@case
def a_link_stays_attached():
    with Mounted() as at, Map(b.ARRAY, 4, 8, 1) as m:
        code = asm(
            st(4, R10, -4, 0), ld_map(R1, m.fd), mov(R2, R10), add_imm(R2, -4), call(LOOKUP), jmp_imm("eq", R0, 0, "out"),
            mov_imm(R1, 1), atomic(8, "add", R0, 0, R1), "out", mov_imm(R0, 0), exit_(),
        )  # fmt: skip
        prog = b.check(b.prog_load(code, b.RAW_TRACEPOINT), "prog")
        name = b.buf(b"sys_enter\0")
        link = b.check(b.call(b.RAW_TRACEPOINT_OPEN, struct.pack("<QI", b.addr(name), prog)), "attach")
        same(pin(link, at + "/link"), 0)
        close(prog, link)

        def counted():
            before = struct.unpack("<Q", m.get(k32(0)))[0]
            for _ in range(100):
                os.getppid()
            return struct.unpack("<Q", m.get(k32(0)))[0] - before

        assert counted() >= 100
        same(get(at + "/link", b.F_RDONLY), EINVAL)
        close(get(at + "/link"))
        assert counted() >= 100
        os.unlink(at + "/link")
        same(counted(), 0)


@case
def an_iterator_is_a_file_to_read():
    with Mounted() as at, Map(b.ARRAY, 4, 8, 1) as m:
        shown = [*iter_cases.load(8, (4, "bpf_map", "id")), stx(8, R10, -8, R1), *iter_cases.write(8)]
        prog = iter_cases.iterator("bpf_map", *shown)
        link = b.check(iter_cases.link_create(prog), "link")
        same(pin(link, at + "/maps"), 0)
        close(prog, link)
        assert (number(m.fd),) in struct.iter_unpack("<Q", open(at + "/maps", "rb").read())
        with Map(b.ARRAY, 4, 8, 1) as other, open(at + "/maps", "rb", buffering=0) as file:
            os.unlink(at + "/maps")
            found = iter_cases.drain(file.fileno(), 8)
            assert {(number(m.fd),), (number(other.fd),)} <= set(struct.iter_unpack("<Q", found))


@case
def programs_of_an_array_stay():
    """As long as a path does: who has no fd may still come for the map."""
    with Mounted() as at:
        prog = b.check(b.prog_load(), "prog")
        with Map(b.PROG_ARRAY, 4, 4, 1) as m:
            same(m.put(k32(0), k32(prog)), 0)
            same(pin(m.fd, at + "/array"), 0)
        prog_id = number(prog)
        os.close(prog)
        time.sleep(0.1)
        again = b.check(get(at + "/array"), "get")
        same(b.lookup(again, k32(0), 4), k32(prog_id))
        os.unlink(at + "/array")
        same(b.lookup(again, k32(0), 4), k32(prog_id), "an fd is left")
        os.close(again)
        goes(b.PROG_GET_FD_BY_ID, prog_id)


@case
def from_several_processes():
    with Mounted() as at, Map(b.ARRAY, 4, 8, 1) as m:

        def work(me):
            for turn in range(150):
                path = f"{at}/{(me + turn) % 3}"
                assert pin(m.fd, path) in (0, EEXIST)
                fd = get(path)
                assert fd >= 0 or fd == ENOENT, fd
                if fd >= 0:
                    os.close(fd)
                assert refused(os.rename, path, f"{at}/{turn % 3}") in (0, ENOENT)
                assert refused(os.unlink, path) in (0, ENOENT)
                assert refused(os.symlink, "0", at + "/s") in (0, EEXIST)
                assert get(at + "/s") >= 0 or refused(os.unlink, at + "/s") in (0, ENOENT)

        children(4, work)
        for name in os.listdir(at):
            os.unlink(f"{at}/{name}")


@case
def unmounted_while_in_use():
    """A lazy one: the objects go with the last who holds a path."""
    path = tempfile.mkdtemp()
    b.check(mount(path), "mount")
    with Map(b.ARRAY, 4, 8, 1) as m:
        same(pin(m.fd, path + "/map"), 0)
        wanted = number(m.fd)
    held = os.open(path, os.O_RDONLY)
    same(libc.umount2(path.encode(), MNT_DETACH), 0)
    os.rmdir(path)
    time.sleep(0.05)
    assert is_there(b.MAP_GET_FD_BY_ID, wanted)
    os.close(held)
    goes(b.MAP_GET_FD_BY_ID, wanted)


@case
def found_where_tools_look():
    assert "bpf" in {line.split()[-1] for line in open("/proc/filesystems")}
    b.check(mount("/sys/fs/bpf"), "mount")
    try:
        answer = b.buf(256)
        same(libc.statfs(b"/sys/fs/bpf", answer), 0)
        same(struct.unpack_from("<q", answer.raw)[0], MAGIC)
        with Map(b.ARRAY, 4, 8, 1) as m:
            same(pin(m.fd, "/sys/fs/bpf/map"), 0)
            close(get("/sys/fs/bpf/map"))
    finally:
        same(libc.umount(b"/sys/fs/bpf"), 0)


if __name__ == "__main__":
    case.main()
