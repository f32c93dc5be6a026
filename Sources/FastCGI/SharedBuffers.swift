// What the connections of one worker share, so that a silent one holds none of it: the buffers for reading and for the end of an answer,
// and libfcgi's writer.

import CFastCGI
import CLinux
package import EventLoop
import Glibc

/// The buffers that the connections of one worker use in turn.
package final class SharedBuffers {
    /// 64 KiB that each read of a connection uses and none keeps.
    var receiveBuffer = [UInt8](repeating: 0, count: 64 << 10)
    /// What writes next; nil until something is written, and after a write that failed.
    private(set) var writer: AnswerWriter?
    /// Empty between two answers' ends: its memory is used again.
    private var lastRecords: [UInt8] = []
    /// A request without parameters, from which libfcgi makes a writer. nil after libfcgi has closed it, until the next one is made.
    private var emptyRequest: Descriptor?

    /// Once for all threads: libfcgi does it without a lock.
    private static let isInitialized = FCGX_Init() == 0

    /// - Throws: `SystemError` when the process is out of descriptors or memory.
    package init() throws(SystemError) {
        guard Self.isInitialized else { throw SystemError("FCGX_Init", code: ENOMEM) }
        emptyRequest = try Self.makeEmptyRequest()
    }

    /// Writes bytes of a request's answer.
    ///
    /// - Throws: `SystemError` when the connection is of no use any more, or when there is no memory for a writer.
    func write(_ bytes: ArraySlice<UInt8>, requestID: UInt16, to descriptor: borrowing Descriptor) throws(SystemError) {
        if writer == nil { writer = try makeWriter() }
        let isWritten = writer?.write(bytes, requestID: requestID, to: descriptor) ?? false
        if !isWritten { writer = nil }
        guard isWritten else { throw SystemError("write", code: EPIPE) }
    }

    /// Writes the last bytes of a request's answer, and its end behind them, at once: libfcgi could, but its writer would be used up by
    /// that.
    ///
    /// - Precondition: the bytes fit one record, and the connection has the credit for them: what the kernel does not take at once cuts it.
    /// - Throws: `SystemError` when the connection is of no use any more.
    func writeLast(_ bytes: ArraySlice<UInt8>, requestID: UInt16, to descriptor: borrowing Descriptor) throws(SystemError) {
        var records = exchange(&lastRecords, with: [])
        records.appendEndOfAnswer(bytes, requestID: requestID)
        let isWritten = descriptor.sendAtOnce(records)
        records.removeAll(keepingCapacity: true)
        lastRecords = records
        guard isWritten else { throw SystemError("send", code: EPIPE) }
    }

    /// Has libfcgi begin a request, which makes the writer for answers.
    private func makeWriter() throws(SystemError) -> AnswerWriter {
        let file = try openEmptyRequest()
        guard lseek(file, 0, Int32(SEEK_SET)) == 0 else { throw SystemError("lseek") }
        let handle = UnsafeMutablePointer<FCGX_Request>.allocate(capacity: 1)
        _ = unsafe FCGX_InitRequest(handle, -1, 0)
        unsafe handle.pointee.ipcFd = file
        unsafe handle.pointee.keepConnection = 1  // else FCGX_Accept_r begins with closing the descriptor
        let hasBegun = unsafe FCGX_Accept_r(handle) == 0
        let writer = unsafe AnswerWriter(handle)
        guard hasBegun else {
            // libfcgi closes the descriptor of a request that it refuses: the number may be another's by now.
            _ = emptyRequest.take()?.release()
            throw SystemError("FCGX_Accept_r", code: EPROTO)
        }
        unsafe handle.pointee.ipcFd = -1
        // Nothing is read from libfcgi, and nothing goes to the error stream.
        unsafe FCGX_FreeStream(&handle.pointee.in)
        unsafe FCGX_FClose(handle.pointee.err)
        unsafe FCGX_FreeStream(&handle.pointee.err)
        return writer
    }

    private func openEmptyRequest() throws(SystemError) -> Int32 {
        if let number = emptyRequest?.number { return number }
        let fresh = try Self.makeEmptyRequest()
        let number = fresh.number
        emptyRequest = consume fresh
        return number
    }

    private static func makeEmptyRequest() throws(SystemError) -> Descriptor {
        var request: [UInt8] = []
        request.appendBeginRequest(1, role: 1, keepsConnection: true)
        request.appendStream(.parameters, requestID: 1, content: [])
        let file = try Descriptor.memoryFile("request")
        let written = unsafe request.withUnsafeBytes { unsafe pwrite(file.number, $0.baseAddress, $0.count, 0) }
        guard written == request.count else { throw SystemError("pwrite") }
        return file
    }
}
