// Threads for what blocks, and the making of descriptors while children are made.

import Foundation
import Synchronization

/// A blocking piece of a test's machinery runs on a thread of its own, never on the pool that runs the tests.
package func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) {
    let thread = Thread(block: body)
    thread.name = name
    thread.stackSize = 512 << 10
    thread.start()
}

/// Held while a descriptor exists that does not close on exec yet, and while a child process is made.
///
/// Without it a child could inherit another test's connection, and the peer would never see that connection close.
let forkLock = Mutex(())
