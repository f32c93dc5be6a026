// The files that a pattern of paths matches.

package import EventLoop
import Glibc

/// Lists the files that a pattern matches.
package typealias FileLister = (_ pattern: String) throws(SystemError) -> [String]

/// The paths that a pattern matches (glob(7)): none when there is no such file, or not even the directory.
///
/// - Throws: `SystemError` for a directory that cannot be read: what is in it is not known.
package func listFiles(_ pattern: String) throws(SystemError) -> [String] {
    var found = unsafe glob_t()
    defer { unsafe globfree(&found) }
    errno = 0
    let status = unsafe glob(pattern, 0, { _, code in code == ENOENT ? 0 : 1 }, &found)
    switch status {
    case 0: break
    case GLOB_NOMATCH: return []
    case GLOB_NOSPACE: throw SystemError(pattern, code: ENOMEM)
    default: throw SystemError(pattern, code: errno == 0 ? EIO : errno)
    }
    return unsafe (0..<Int(found.gl_pathc)).compactMap { index in
        unsafe found.gl_pathv[index].map { unsafe String(cString: $0) }
    }
}
