// libfcgi parses a checked request's parameters from a memory file: no read can block, and nothing of it is left over.

import CFastCGI
import CLinux
package import EventLoop
import Glibc

/// What the connections of one worker share: the memory file that requests are parsed from, the buffer for reading, and libfcgi's
/// writers.
package final class RequestParser {
    /// 64 KiB that each read of a connection uses and none keeps.
    var receiveBuffer = [UInt8](repeating: 0, count: 64 << 10)
    /// Those that nobody uses.
    private(set) var writers: [AnswerWriter] = []
    static let sparesMax = 16
    /// nil after libfcgi has closed it, until the next request.
    private var file: Descriptor?
    private var fileSize = 0
    private var staging: [UInt8] = []

    /// Once for all threads: libfcgi does it without a lock.
    private static let isInitialized = FCGX_Init() == 0

    /// - Throws: `SystemError` when the process is out of descriptors or memory.
    package init() throws(SystemError) {
        guard Self.isInitialized else { throw SystemError("FCGX_Init", code: ENOMEM) }
        file = try Self.makeFile()
    }

    /// The request's parameters. The body stays where it is: the scanner has it whole.
    ///
    /// - Throws: `SystemError` when the memory file cannot be written, or when libfcgi and the scanner disagree.
    func parse(_ request: ScannedRequest) throws(SystemError) -> RequestParameters {
        let writer = try makeWriter(request.id, request.parameters)
        recycle(writer)
        return writer.takeParameters()
    }

    private func recycle(_ writer: consuming AnswerWriter) {
        guard writers.count < Self.sparesMax else { return }
        var writers = exchange(&self.writers, with: [])
        writers.append(writer)
        self.writers = writers
    }

    /// Writes bytes of a request's answer, and its end behind them when they are the last.
    ///
    /// - Throws: `SystemError` when the connection is of no use any more, or when there is no memory for a writer.
    func write(
        _ bytes: ArraySlice<UInt8>, isLast: Bool, requestID: UInt16, to descriptor: borrowing Descriptor
    ) throws(SystemError) {
        // Only moved out and in again, the array needs no look by the runtime at whether two accesses overlap.
        var writers = exchange(&self.writers, with: [])
        defer { self.writers = writers }
        if writers.isEmpty { writers.append(try makeWriter(requestID, [])) }
        let isWritten = writers[writers.count - 1].write(bytes, isLast: isLast, requestID: requestID, to: descriptor)
        if isLast || !isWritten { writers.removeLast() }
        guard isWritten else { throw SystemError("write", code: EPIPE) }
    }

    /// Has libfcgi begin a request, which makes the writer for its answer.
    private func makeWriter(_ requestID: UInt16, _ parameters: [UInt8]) throws(SystemError) -> AnswerWriter {
        let file = try stage(requestID, parameters)
        let handle = UnsafeMutablePointer<FCGX_Request>.allocate(capacity: 1)
        _ = unsafe FCGX_InitRequest(handle, -1, 0)
        unsafe handle.pointee.ipcFd = file
        unsafe handle.pointee.keepConnection = 1  // else FCGX_Accept_r begins with closing the descriptor
        let hasBegun = unsafe FCGX_Accept_r(handle) == 0
        let writer = unsafe AnswerWriter(handle)
        guard hasBegun else {
            forgetFile()
            throw SystemError("FCGX_Accept_r", code: EPROTO)
        }
        unsafe handle.pointee.ipcFd = -1
        // The body is not read from libfcgi, and nothing goes to the error stream.
        unsafe FCGX_FreeStream(&handle.pointee.in)
        unsafe FCGX_FClose(handle.pointee.err)
        unsafe FCGX_FreeStream(&handle.pointee.err)
        return writer
    }

    /// Writes the request up to its body in its plainest form: whole records, no padding, nothing foreign.
    ///
    /// - Returns: the number of the file, which stands at its start.
    private func stage(_ requestID: UInt16, _ parameters: [UInt8]) throws(SystemError) -> Int32 {
        staging.removeAll(keepingCapacity: true)
        staging.appendBeginRequest(requestID, role: 1, keepsConnection: true)
        staging.appendStream(.parameters, requestID: requestID, content: parameters)
        let number = try openFile()
        let written = unsafe staging.withUnsafeBytes { unsafe pwrite(number, $0.baseAddress, $0.count, 0) }
        guard written == staging.count, lseek(number, 0, Int32(SEEK_SET)) == 0 else { throw SystemError("pwrite") }
        if fileSize > staging.count { _ = try SystemError.check("ftruncate", ftruncate(number, staging.count)) }
        fileSize = staging.count
        if staging.capacity > 1 << 20 { staging = [] }
        return number
    }

    private func openFile() throws(SystemError) -> Int32 {
        if let number = file?.number { return number }
        let fresh = try Self.makeFile()
        let number = fresh.number
        file = consume fresh
        return number
    }

    /// libfcgi closes the descriptor of a request that it refuses: the number may be another's by now.
    private func forgetFile() {
        _ = file.take()?.release()
        fileSize = 0
    }

    private static func makeFile() throws(SystemError) -> Descriptor { try .memoryFile("request") }
}
