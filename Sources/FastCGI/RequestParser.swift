// libfcgi parses a checked request's parameters from a memory file: no read can block, and nothing of it is left over.

import CFastCGI
import CLinux
package import EventLoop
import Glibc

/// What the connections of one worker share: the memory file that requests are parsed from, and the buffer for reading.
package final class RequestParser {
    /// 64 KiB that each read of a connection uses and none keeps.
    var receiveBuffer = [UInt8](repeating: 0, count: 64 << 10)
    private var file: Descriptor
    private var fileSize = 0
    private var staging: [UInt8] = []

    /// Once for all threads: libfcgi does it without a lock.
    private static let isInitialized = FCGX_Init() == 0

    /// - Throws: `SystemError` when the process is out of descriptors or memory.
    package init() throws(SystemError) {
        guard Self.isInitialized else { throw SystemError("FCGX_Init", code: ENOMEM) }
        file = try Self.makeFile()
    }

    /// Fills `handle` with the request's parameters and its answer's stream. The body stays where it is: the scanner has it whole.
    ///
    /// The handle keeps no reader and no error stream, which a silent stream of events does not need.
    ///
    /// - Throws: `SystemError` when the memory file cannot be written, or when libfcgi and the scanner disagree.
    func parse(_ request: ScannedRequest, into handle: UnsafeMutablePointer<FCGX_Request>) throws(SystemError) {
        try stage(request)
        unsafe handle.pointee.ipcFd = file.number
        unsafe handle.pointee.keepConnection = 1  // else FCGX_Accept_r begins with closing the descriptor
        guard unsafe FCGX_Accept_r(handle) == 0 else {
            try replaceFile()
            throw SystemError("FCGX_Accept_r", code: EPROTO)
        }
        unsafe FCGX_FreeStream(&handle.pointee.in)
        unsafe FCGX_FClose(handle.pointee.err)
        unsafe FCGX_FreeStream(&handle.pointee.err)
        unsafe handle.pointee.ipcFd = -1
    }

    /// Writes the request up to its body in its plainest form: whole records, no padding, nothing foreign.
    private func stage(_ request: ScannedRequest) throws(SystemError) {
        staging.removeAll(keepingCapacity: true)
        staging.appendBeginRequest(request.id, role: 1, keepsConnection: true)
        staging.appendStream(.parameters, requestID: request.id, content: request.parameters)
        let written = unsafe staging.withUnsafeBytes { unsafe pwrite(file.number, $0.baseAddress, $0.count, 0) }
        guard written == staging.count, lseek(file.number, 0, Int32(SEEK_SET)) == 0 else { throw SystemError("pwrite") }
        if fileSize > staging.count { _ = try SystemError.check("ftruncate", ftruncate(file.number, staging.count)) }
        fileSize = staging.count
        if staging.capacity > 1 << 20 { staging = [] }
    }

    /// libfcgi closes the descriptor of a request that it refuses.
    private func replaceFile() throws(SystemError) {
        let fresh = try Self.makeFile()
        _ = exchange(&file, with: fresh).release()
        fileSize = 0
    }

    private static func makeFile() throws(SystemError) -> Descriptor {
        Descriptor(owning: try SystemError.check("memfd_create", unsafe memfd_create("request", UInt32(MFD_CLOEXEC))))
    }
}
