// Linux calls and constants that Swift's Glibc module lacks. It is built without _GNU_SOURCE, and defining that here
// would give types of both modules two layouts; so what glibc guards with it is declared below as the manual pages have it.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <linux/memfd.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <malloc.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>

/// pthread_attr_setsigmask_np(3)
int pthread_attr_setsigmask_np(pthread_attr_t *attributes, const sigset_t *signals);
/// accept4(2)
int accept4(int descriptor, struct sockaddr *address, socklen_t *length, int flags);
/// gettid(2)
pid_t gettid(void);
/// memfd_create(2)
int memfd_create(const char *name, unsigned int flags);
/// sched_getaffinity(2)
int sched_getaffinity(pid_t process, size_t size, cpu_set_t *set);
/// renameat2(2)
int renameat2(int old_folder, const char *old_name, int new_folder, const char *new_name, unsigned int flags);

/// renameat2(2): fails with EEXIST where there is a file of the new name.
static const unsigned int RENAME_WITHOUT_REPLACING = 1;
/// renameat2(2): each file gets the other's name, at one moment.
static const unsigned int RENAME_EXCHANGING = 2;
/// open(2), O_PATH: a file as a place, whatever may be read of it.
static const int OPEN_AS_PATH = 010000000;

/// unix(7), SO_PEERCRED
struct ucred {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};

/// tcp(7), TCP_INFO: counts that the kernel has behind what glibc knows of, since Linux 4.6; 0 before.
struct tcp_counts {
    uint64_t bytes_received;
    uint32_t segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in;
};
union counted_tcp_info {
    struct tcp_info info;
    struct {
        unsigned char before[128];
        struct tcp_counts counts;
    } behind;
};

/// fcntl(2): what may not be done to a file in memory any more.
static const int FILE_ADD_SEALS = 1033, FILE_GET_SEALS = 1034;
static const int FILE_SEAL_ALL = 0x0001 | 0x0002 | 0x0004 | 0x0008;
/// memfd_create(2), since Linux 6.3: no program can be in it. Where the sysctl vm.memfd_noexec is 2 there is no file in memory
/// without.
static const unsigned int MEMORY_FILE_WITHOUT_PROGRAM = 0x0008;
/// It keeps its size; what is in it may change.
static const int FILE_SEAL_SIZE = 0x0001 | 0x0002 | 0x0004;

/// prctl(2), which takes whatever its first argument says: whether the kernel writes this process down when it crashes, whoever
/// is to get that, and lets others of its user look into it.
static inline bool is_dumpable(void) { return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1; }
static inline int set_dumpable(bool is_dumpable) { return prctl(PR_SET_DUMPABLE, is_dumpable ? 1 : 0, 0, 0, 0); }

/// prctl(2): what `ps -L` and `top -H` call this thread; of a process's first one, `ps` and `pgrep` too.
static inline int name_thread(const char *name) { return prctl(PR_SET_NAME, name, 0, 0, 0); }

/// stdio(3): hands on what was printed. Whether any of that, or of what was printed before, was lost.
static inline bool output_is_lost(void) { return fflush(stdout) != 0 || ferror(stdout) != 0; }

/// environ(7)
static inline char **process_environment(void) {
    extern char **environ;
    return environ;
}

/// posix_spawn_file_actions_addclosefrom_np(3)
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);

/// poll(2): the other end is gone.
static const short POLL_OTHER_END_GONE = 0x2000;

/// unix(7), SCM_RIGHTS, whose parts are macros.
static const size_t PASSED_DESCRIPTORS_MAX = 250;

/// sendmsg(2), without waiting, with copies of descriptors.
static inline ssize_t send_passing(int socket, const void *bytes, size_t count, const int *descriptors, size_t descriptors_count) {
    union {
        char bytes[CMSG_SPACE(250 * sizeof(int))];
        struct cmsghdr aligned;
    } room;
    struct iovec part = {(void *)bytes, count};
    struct msghdr message = {0};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (descriptors_count > 0) {
        size_t size = descriptors_count * sizeof(int);
        memset(&room, 0, sizeof room);
        message.msg_control = room.bytes;
        message.msg_controllen = CMSG_SPACE(size);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(size);
        memcpy(CMSG_DATA(header), descriptors, size);
    }
    return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/// recvmsg(2), without waiting. The descriptors that came along close on exec. A message that has more bytes is cut.
static inline ssize_t receive_passed(
    int socket, void *bytes, size_t count, int *descriptors, size_t *descriptors_count, bool *is_cut) {
    union {
        char bytes[CMSG_SPACE(250 * sizeof(int))];
        struct cmsghdr aligned;
    } room;
    struct iovec part = {bytes, count};
    struct msghdr message = {0};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = room.bytes;
    message.msg_controllen = sizeof room.bytes;
    *descriptors_count = 0;
    *is_cut = false;
    ssize_t received = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (received < 0) return received;
    *is_cut = message.msg_flags & MSG_TRUNC;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != 0; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        size_t size = header->cmsg_len - CMSG_LEN(0);
        memcpy(descriptors + *descriptors_count, CMSG_DATA(header), size);
        *descriptors_count += size / sizeof(int);
    }
    return received;
}
