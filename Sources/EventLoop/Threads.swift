// The threads that loops, and whatever waits in a loop's place, run on.

import CLinux
import Glibc

/// Runs `body` on a new detached thread, which takes no signals but those of its own faults.
///
/// It begins so: no signal reaches it ahead of a call that it would make itself, or when such a call failed.
///
/// - Parameter name: of at most 15 bytes, as `ps -L` and `top -H` show it.
/// - Throws: `SystemError` when the machine allows no more threads.
package func startThread(named name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
    final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
    let argument = unsafe Unmanaged.passRetained(
        Body {
            // From itself: it may have ended before whoever starts it could name it.
            _ = unsafe name_thread(name)
            body()
        })
    var attributes = pthread_attr_t()
    var thread = pthread_t()
    var code = unsafe pthread_attr_init(&attributes)
    if code == 0 {
        defer { unsafe pthread_attr_destroy(&attributes) }
        var signals = SignalWatch.allButFaults
        code = unsafe pthread_attr_setsigmask_np(&attributes, &signals)
        if code == 0 { code = unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED)) }
        if code == 0 {
            code = unsafe pthread_create(
                &thread, &attributes,
                { pointer in
                    // pthread_create hands over exactly the pointer that it was given.
                    if let pointer = unsafe pointer { unsafe Unmanaged<Body>.fromOpaque(pointer).takeRetainedValue().run() }
                    return nil
                }, argument.toOpaque())
        }
    }
    guard code == 0 else {
        unsafe argument.release()
        throw SystemError("pthread_create", code: code)
    }
}

/// Runs `body`, which may take its time, on a thread of its own, and waits for what it returns without keeping a loop from its work.
///
/// - Throws: what `body` throws, and `SystemError` when the machine allows no more threads.
package func runOnThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await resultOnThread { Result { try body() } }.get().get()
}

/// The same for what does not throw.
///
/// - Returns: what `body` returns, or why there is no thread for it.
package func resultOnThread<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Result<Value, SystemError> {
    await withCheckedContinuation { continuation in
        do throws(SystemError) {
            try startThread(named: "task") { continuation.resume(returning: .success(body())) }
        } catch {
            continuation.resume(returning: .failure(error))
        }
    }
}
