// The custom BIO through which OpenSSL reads a stream's input and writes its output, without a copy of its own.

import COpenSSL

/// The method table of such BIOs; nil without memory. A BIO's data is its `TLSStream`, unretained: the stream frees both.
func makeTLSTransport() -> OpaquePointer? {
    guard let method = unsafe BIO_meth_new(BIO_TYPE_SOURCE_SINK, "stream") else { return nil }
    unsafe BIO_meth_set_read_ex(method) { bio, bytes, count, taken in
        guard let bio = unsafe bio, let bytes = unsafe bytes, let taken = unsafe taken else { return 0 }
        unsafe BIO_clear_retry_flags(bio)
        unsafe taken.pointee = unsafe stream(of: bio).takeInput(UnsafeMutableRawBufferPointer(start: bytes, count: count))
        if unsafe taken.pointee > 0 { return 1 }
        unsafe BIO_set_retry_read(bio)
        return 0
    }
    unsafe BIO_meth_set_write_ex(method) { bio, bytes, count, taken in
        guard let bio = unsafe bio, let bytes = unsafe bytes, let taken = unsafe taken else { return 0 }
        unsafe BIO_clear_retry_flags(bio)
        unsafe stream(of: bio).output.append(UnsafeRawBufferPointer(start: bytes, count: count))
        unsafe taken.pointee = count
        return 1
    }
    // OpenSSL flushes after each flight; of everything else it learns that it is not there.
    unsafe BIO_meth_set_ctrl(method) { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }
    return unsafe method
}

private func stream(of bio: OpaquePointer) -> TLSStream {
    // Set before the BIO is given to OpenSSL.
    unsafe Unmanaged<TLSStream>.fromOpaque(BIO_get_data(bio)).takeUnretainedValue()
}
