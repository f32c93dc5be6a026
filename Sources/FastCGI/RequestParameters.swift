// What libfcgi makes of a request's parameters.

import CFastCGI
import Glibc

/// The parameters of one request (FastCGI 1.0 §5.2), in libfcgi's memory.
@safe struct RequestParameters: ~Copyable {
    private let pointer: OpaquePointer?
    /// `NAME=value` each, and a null pointer behind the last.
    private let list: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?

    /// Takes them out of a request that libfcgi has begun.
    init(takenFrom handle: UnsafeMutablePointer<FCGX_Request>) {
        unsafe pointer = handle.pointee.paramsPtr
        unsafe list = handle.pointee.envp
        unsafe handle.pointee.paramsPtr = nil
        unsafe handle.pointee.envp = nil
    }

    /// libfcgi frees parameters only together with all else of a request; a request that has nothing else will do.
    deinit {
        var rest = unsafe FCGX_Request()
        unsafe rest.paramsPtr = pointer
        unsafe FCGX_Free(&rest, 0)
    }

    /// The value of a parameter, `nil` when there is none; of duplicates the first.
    subscript(_ name: StaticString) -> String? {
        guard let place = unsafe place(of: name, from: list), let entry = unsafe place.pointee else { return nil }
        return unsafe String(cString: entry + name.utf8CodeUnitCount + 1)
    }

    /// Whether there is more than one of that name.
    func isRepeated(_ name: StaticString) -> Bool {
        guard let first = unsafe place(of: name, from: list) else { return false }
        return unsafe place(of: name, from: first + 1) != nil
    }

    /// As `FCGX_GetParam`, which compares each entry by a call, in a fifth of the instructions.
    private func place(
        of name: StaticString, from start: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
    ) -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? {
        guard var next = unsafe start else { return nil }
        let bytes = unsafe UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)
        let count = name.utf8CodeUnitCount
        while let entry = unsafe next.pointee {
            if unsafe entry[0] == bytes[0], unsafe strncmp(entry, bytes, count) == 0,
                unsafe entry[count] == CChar(UInt8(ascii: "="))
            {
                return unsafe next
            }
            unsafe next += 1
        }
        return nil
    }
}
