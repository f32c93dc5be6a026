// Linux calls and constants that Swift's Glibc module lacks. It is built without _GNU_SOURCE, and defining that here
// would give types of both modules two layouts; so what glibc guards with it is declared below as the manual pages have it.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <linux/memfd.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>

/// accept4(2)
int accept4(int descriptor, struct sockaddr *address, socklen_t *length, int flags);
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
