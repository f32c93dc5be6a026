// How the files of the settings are read: really, or from a record.

import EventLoop
import Settings

/// How the files of the settings are read.
struct FileAccess {
    let read: FileReader
    let list: FileLister

    /// The files that there are.
    static var real: FileAccess {
        FileAccess(
            read: { path throws(SystemError) in try readFile(path) },
            list: { pattern throws(SystemError) in try listFiles(pattern) })
    }
}
