"""Each system call's errors, by its manual page (man-pages 6), and by ip(7), tcp(7) and unix(7) for calls on sockets."""

# What happens to a program without a mistake of its own: what --quick tries.
COMMON = set("EINTR EAGAIN ENOMEM EMFILE ENFILE ENOBUFS EIO EPIPE ECONNRESET ECONNABORTED EPERM EBADF ENOSPC".split())

_PATH = "EACCES EIO ELOOP ENAMETOOLONG ENOENT ENOMEM ENOTDIR"
_READ = "EAGAIN EBADF EFAULT EINTR EINVAL EIO EISDIR ECONNRESET ENOBUFS ETIMEDOUT"
_WRITE = "EAGAIN EBADF EDESTADDRREQ EDQUOT EFAULT EFBIG EINTR EINVAL EIO ENOSPC EPERM EPIPE ECONNRESET ENOBUFS"
_RECEIVE = (
    "EAGAIN EBADF ECONNREFUSED EFAULT EINTR EINVAL ENOMEM ENOTCONN ENOTSOCK ECONNRESET ECONNABORTED EHOSTUNREACH ENOBUFS ETIMEDOUT")
_SEND = (
    "EACCES EAGAIN EALREADY EBADF ECONNRESET EDESTADDRREQ EFAULT EINTR EINVAL EISCONN EMSGSIZE ENOBUFS ENOMEM ENOTCONN ENOTSOCK "
    "EOPNOTSUPP EPIPE EPERM EHOSTUNREACH ETIMEDOUT")
_OPTION = "EBADF EFAULT EINVAL ENOPROTOOPT ENOTSOCK ENOMEM ENOBUFS"
_NAME = "EBADF EFAULT EINVAL ENOBUFS ENOTSOCK"
_MAP = "EACCES EAGAIN EBADF EEXIST EINVAL ENFILE ENODEV ENOMEM EOVERFLOW EPERM ETXTBSY"
_POLL = "EFAULT EINTR EINVAL ENOMEM"
_WAIT = "EBADF EFAULT EINTR EINVAL"
_CLONE = "EAGAIN EBUSY EEXIST EINVAL ENOMEM ENOSPC EPERM EUSERS ENOSYS"

ERRNOS = {call: names.split() for call, names in {
    "accept4": "EAGAIN EBADF ECONNABORTED EFAULT EHOSTUNREACH EINTR EINVAL EMFILE ENFILE ENOBUFS ENOMEM ENOTSOCK EOPNOTSUPP EPERM EPROTO",
    "access": _PATH + " EFAULT EINVAL EPERM EROFS ETXTBSY",
    "arch_prctl": "EFAULT EINVAL ENODEV EPERM",
    "bind": "EACCES EADDRINUSE EADDRNOTAVAIL EBADF EFAULT EINVAL ELOOP ENAMETOOLONG ENOENT ENOMEM ENOTDIR ENOTSOCK EROFS",
    "brk": "ENOMEM",
    "chmod": _PATH + " EBADF EFAULT EINVAL EOPNOTSUPP EPERM EROFS",
    "clock_nanosleep": "EFAULT EINTR EINVAL EOPNOTSUPP",
    "clone": _CLONE,
    "clone3": _CLONE,
    "close": "EBADF EINTR EIO ENOSPC EDQUOT",
    "connect":
        "EACCES EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT EAGAIN EALREADY EBADF ECONNREFUSED EFAULT EINPROGRESS EINTR EISCONN ENETUNREACH "
        "ENOTSOCK EPROTOTYPE ETIMEDOUT EPERM ENOENT ENOBUFS EHOSTUNREACH",
    "epoll_create1": "EINVAL EMFILE ENFILE ENOMEM",
    "epoll_ctl": "EBADF EEXIST EINVAL ELOOP ENOENT ENOMEM ENOSPC EPERM",
    "epoll_pwait": _WAIT,
    "epoll_pwait2": _WAIT,
    "epoll_wait": _WAIT,
    "eventfd2": "EINVAL EMFILE ENFILE ENODEV ENOMEM",
    "fchmodat": _PATH + " EBADF EINVAL EPERM EROFS",
    "fchownat": _PATH + " EBADF EINVAL EPERM EROFS",
    "fcntl": "EACCES EAGAIN EBADF EBUSY EDEADLK EFAULT EINTR EINVAL EMFILE ENOLCK ENOTDIR EPERM",
    "fstat": "EBADF EFAULT ENOMEM EOVERFLOW EIO",
    "ftruncate": "EBADF EFBIG EINTR EINVAL EIO EPERM",
    "futex": "EAGAIN EINTR",
    "getpeername": _NAME + " ENOTCONN",
    "getrandom": "EAGAIN EFAULT EINTR EINVAL ENOSYS",
    "getsockname": _NAME,
    "getsockopt": _OPTION,
    "ioctl": "EBADF EFAULT EINVAL ENOTTY",
    "listen": "EADDRINUSE EBADF ENOTSOCK EOPNOTSUPP",
    "lseek": "EBADF EINVAL ENXIO EOVERFLOW ESPIPE",
    "madvise": "EACCES EAGAIN EBADF EINVAL EIO ENOMEM EPERM",
    "memfd_create": "EFAULT EINVAL EMFILE ENFILE ENOMEM EPERM",
    "mmap": _MAP,
    "mprotect": "EACCES EINVAL ENOMEM",
    "mremap": "EAGAIN EFAULT EINVAL ENOMEM",
    "munmap": "EINVAL ENOMEM",
    "newfstatat": _PATH + " EBADF EFAULT EINVAL EOVERFLOW",
    "openat":
        _PATH + " EBADF EBUSY EDQUOT EEXIST EFAULT EFBIG EINTR EINVAL EISDIR EMFILE ENFILE ENODEV ENOSPC ENXIO EOPNOTSUPP EOVERFLOW "
        "EPERM EROFS ETXTBSY EAGAIN",
    "pipe2": "EFAULT EINVAL EMFILE ENFILE",
    "poll": _POLL,
    "ppoll": _POLL,
    "prctl": "EFAULT EINVAL EPERM",
    "pread64": _READ + " ENXIO EOVERFLOW ESPIPE",
    "prlimit64": "EFAULT EINVAL EPERM ESRCH",
    "pwrite64": _WRITE + " ENXIO EOVERFLOW ESPIPE",
    "read": _READ,
    "readlink": _PATH + " EBADF EFAULT EINVAL",
    "readv": _READ,
    "recvfrom": _RECEIVE,
    "recvmsg": _RECEIVE,
    "renameat": _PATH + " EBADF EBUSY EDQUOT EEXIST EFAULT EINVAL EISDIR EMLINK ENOSPC EPERM EROFS EXDEV",
    "renameat2": _PATH + " EBADF EBUSY EDQUOT EEXIST EFAULT EINVAL EISDIR EMLINK ENOSPC EPERM EROFS EXDEV",
    "rseq": "EINVAL EPERM EBUSY EFAULT ENOSYS",
    "rt_sigaction": "EFAULT EINVAL",
    "rt_sigprocmask": "EFAULT EINVAL",
    "sched_getaffinity": "EFAULT EINVAL EPERM ESRCH",
    "sched_yield": "",
    "sendmmsg": _SEND,
    "sendmsg": _SEND,
    "sendto": _SEND,
    "set_robust_list": "EFAULT EINVAL EPERM ESRCH",
    "setsockopt": _OPTION + " EPERM EDOM",
    "shutdown": "EBADF EINVAL ENOTCONN ENOTSOCK",
    "signalfd4": "EBADF EINVAL EMFILE ENFILE ENODEV ENOMEM",
    "socket": "EACCES EAFNOSUPPORT EINVAL EMFILE ENFILE ENOBUFS ENOMEM EPROTONOSUPPORT",
    "socketpair": "EAFNOSUPPORT EFAULT EMFILE ENFILE EOPNOTSUPP EPROTONOSUPPORT ENOBUFS ENOMEM",
    "statx": _PATH + " EBADF EFAULT EINVAL",
    "sysinfo": "EFAULT",
    "timerfd_settime": "EBADF EFAULT EINVAL",
    "uname": "EFAULT",
    "unlink": _PATH + " EBADF EBUSY EFAULT EINVAL EISDIR EPERM EROFS",
    "unlinkat": _PATH + " EBADF EBUSY EFAULT EINVAL EISDIR EPERM EROFS",
    "write": _WRITE,
    "writev": _WRITE,
}.items()}

# Calls that cannot fail, or whose failure is no program's of its own.
WITHOUT = {
    "execve": "it is not Sluice that runs a program",
    "exit": "it does not return",
    "exit_group": "it does not return",
    "geteuid": "it cannot fail",
    "getpid": "it cannot fail",
    "gettid": "it cannot fail",
    "restart_syscall": "it is the kernel's own",
    "rt_sigreturn": "it is the kernel's own",
    "sched_yield": "it cannot fail",
    "set_tid_address": "it cannot fail",
    "tgkill": "it is a defect's own way to end",
}

# errno(3)'s names for which the C library ends the process, and which the kernel has for other uses of the call.
REMARKS = {"futex": "EAGAIN and EINTR are all that the kernel can answer to plain waits and wakes; the C library takes others for the end"}
