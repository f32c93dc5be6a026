// libfcgi's stream for answers, which connections use in turn: a silent answer owns none of its 8 KiB.

import CFastCGI
import EventLoop

/// A stream of libfcgi that writes an answer's records (FastCGI 1.0 §5.3), of one connection and then of another.
///
/// Nothing stays in it between two writes. A write that failed uses it up; to end an answer would too.
@safe final class AnswerWriter {
    /// libfcgi keeps pointers to the request that its streams belong to, so that it must not move.
    private let handle: UnsafeMutablePointer<FCGX_Request>

    /// libfcgi's output buffer, and so the most that one flush writes.
    static let bufferBytes = 8192

    /// Takes over a request that libfcgi has begun, with its stream for the answer open.
    init(_ handle: UnsafeMutablePointer<FCGX_Request>) { unsafe self.handle = handle }

    deinit {
        unsafe FCGX_Free(handle, 0)
        unsafe handle.deallocate()
    }

    /// Writes the bytes.
    ///
    /// - Returns: whether they were written. If not, the connection is of no use any more.
    func write(_ bytes: ArraySlice<UInt8>, requestID: UInt16, to descriptor: borrowing Descriptor) -> Bool {
        unsafe handle.pointee.requestId = Int32(requestID)
        unsafe handle.pointee.ipcFd = descriptor.number
        defer { unsafe handle.pointee.ipcFd = -1 }
        let out = unsafe handle.pointee.out
        unsafe bytes.withUnsafeBytes { buffer in
            let start = unsafe buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
            _ = unsafe FCGX_PutStr(start, Int32(buffer.count), out)
        }
        // libfcgi reports a failed write once and then hides it; the stream's error alone is truthful.
        return unsafe FCGX_FFlush(out) == 0 && FCGX_GetError(out) == 0
    }
}
