// Where libcurl calls in. Each function finds its object and hands over; none makes libcurl act.

import CCurl
import Glibc

/// `CURLOPT_WRITEFUNCTION`
func bodyArrived(_ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ data: UnsafeMutableRawPointer?) -> Int {
    guard let data = unsafe data else { return 0 }
    let buffer = unsafe UnsafeRawBufferPointer(start: bytes, count: size * count).assumingMemoryBound(to: UInt8.self)
    return unsafe Unmanaged<Transfer>.fromOpaque(data).takeUnretainedValue().receive(buffer.span)
}

/// `CURLOPT_HEADERFUNCTION`
func lineArrived(_ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ data: UnsafeMutableRawPointer?) -> Int {
    guard let data = unsafe data else { return 0 }
    let buffer = unsafe UnsafeRawBufferPointer(start: bytes, count: size * count)
    let transfer = unsafe Unmanaged<Transfer>.fromOpaque(data).takeUnretainedValue()
    transfer.receive(line: unsafe buffer.assumingMemoryBound(to: UInt8.self).span)
    return size * count
}

/// `CURLOPT_PREREQFUNCTION`: there is a connection, TLS included, and the request is about to be sent on it.
func connectionMade(
    _ data: UnsafeMutableRawPointer?, _ peer: UnsafeMutablePointer<CChar>?, _ local: UnsafeMutablePointer<CChar>?,
    _ peerPort: Int32, _ localPort: Int32
) -> Int32 {
    guard let data = unsafe data, let peer = unsafe peer else { return CURL_PREREQFUNC_OK }
    let connection = Connection(localPort: localPort, peerPort: peerPort, peer: unsafe String(cString: peer))
    unsafe Unmanaged<Transfer>.fromOpaque(data).takeUnretainedValue().connected(over: connection)
    return CURL_PREREQFUNC_OK
}

/// `CURLOPT_SOCKOPTFUNCTION`: libcurl has a socket for a connection to come.
func connectionOpened(_ data: UnsafeMutableRawPointer?, _ socket: curl_socket_t, _ purpose: curlsocktype) -> Int32 {
    if let data = unsafe data { unsafe Unmanaged<Session>.fromOpaque(data).takeUnretainedValue().opened(socket) }
    return CURL_SOCKOPT_OK
}

/// `CURLOPT_CLOSESOCKETFUNCTION`: for those sockets alone, and in place of closing them.
func connectionClosed(_ data: UnsafeMutableRawPointer?, _ socket: curl_socket_t) -> Int32 {
    if let data = unsafe data { unsafe Unmanaged<Session>.fromOpaque(data).takeUnretainedValue().willClose(socket) }
    return close(socket)
}

/// `CURLMOPT_SOCKETFUNCTION`
///
/// It never reports a failure: libcurl would give up all transfers for the sake of one.
func socketChanged(
    _ easy: UnsafeMutableRawPointer?, _ socket: curl_socket_t, _ what: Int32, _ data: UnsafeMutableRawPointer?,
    _ unused: UnsafeMutableRawPointer?
) -> Int32 {
    guard let data = unsafe data else { return 0 }
    let session = unsafe Unmanaged<Session>.fromOpaque(data).takeUnretainedValue()
    if what == CURL_POLL_REMOVE {
        session.unwatch(socket)
    } else {
        session.watch(socket, what, for: unsafe transfer(of: easy))
    }
    return 0
}

/// `CURLMOPT_TIMERFUNCTION`
func timerChanged(_ multi: UnsafeMutableRawPointer?, _ milliseconds: Int, _ data: UnsafeMutableRawPointer?) -> Int32 {
    if let data = unsafe data { unsafe Unmanaged<Session>.fromOpaque(data).takeUnretainedValue().setTimer(milliseconds) }
    return 0
}
