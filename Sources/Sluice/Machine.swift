// What the machine offers, and what the process may use of it.

import EventLoop
import Glibc

/// The cores that this process may run on, at least one.
func processorCount() -> Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

/// Raises the limit of open descriptors as far as allowed, and returns it. Each stream takes two.
func raiseDescriptorLimit() throws(SystemError) -> Int {
    var limit = rlimit()
    _ = try SystemError.check("getrlimit", unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit))
    limit.rlim_cur = limit.rlim_max
    _ = try SystemError.check("setrlimit", unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit))
    return Int(clamping: limit.rlim_cur)
}

/// The wall clock, as OpenAI's `created` has it.
func secondsSince1970() -> Int { time(nil) }
