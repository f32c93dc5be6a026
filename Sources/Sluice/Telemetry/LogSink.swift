// What takes the lines: a pipe, a terminal, a socket, a file, a daemon of the system. No offer waits.

import EventLoop
import Glibc

/// Where lines go.
enum LogTarget: Sendable {
    /// A descriptor that the process was started with, and that others may share.
    case descriptor(Int32)
    /// A path, and what becomes of the file there when it is full; nil for nothing.
    case file(String, LogRotation? = nil)
    /// A daemon that takes each line as a datagram, at this path.
    case datagrams(String)
}

/// An open target.
struct LogSink: ~Copyable {
    /// What has become of bytes that were offered.
    enum Outcome: Equatable {
        /// The first so many of them are taken.
        case taken(Int)
        /// There is no room now; poll(2) tells when there is.
        case full
        /// It may have to wait, as for a disk: for a thread that nobody waits for. `RWF_NOWAIT` (pwritev2(2)) is no way around
        /// that: ext4 does not know it for such writes, and XFS and btrfs answer mostly that they would wait.
        case slow
        /// This line is never taken.
        case refused
        /// It takes nothing for some time, as a full disk.
        case failed
    }

    private enum Kind {
        /// A pipe, a terminal or a device, of which no write waits.
        case stream
        /// The same, where it cannot be opened again, and is shared with others who rely on its waiting: whether a write waits is
        /// not known before it does.
        case sharedStream
        case socket
        case file
        case datagrams(String)
    }

    private var kind: Kind
    private var own: Descriptor?
    private let given: Int32
    /// What becomes of the file when it is full; nil for nothing, and for what is no file on a disk.
    private(set) var rotation: LogRotation?

    /// How many bytes are offered at once, unless one line has more.
    private static let batchMax = 64 << 10

    /// - Throws: `SystemError` when a file cannot be opened. A daemon need not be there.
    init(_ target: LogTarget) throws(SystemError) {
        switch target {
        case .descriptor(let number):
            given = number
            switch FileStatus(number)?.kind {
            case .regular: kind = .file
            case .socket: kind = .socket
            default:
                own = Self.reopened(number)
                kind = own == nil ? .sharedStream : .stream
            }
        case .file(let path, let rotation):
            // Not to wait here either: a pipe may have nobody who reads it.
            let flags = O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
            own = Descriptor(owning: try SystemError.check(path, unsafe open(path, flags, 0o640)))
            given = -1
            kind = .stream
            guard FileStatus(number)?.kind == .regular else { return }
            (kind, self.rotation) = (.file, rotation)
        case .datagrams(let path):
            given = -1
            kind = .datagrams(path)
            own = Self.connected(to: path)
        }
    }

    /// For poll(2); negative when there is none now.
    var number: Int32 {
        switch own {
        case .some(let own): own.number
        case nil: given
        }
    }

    /// Whether what this one is open on is the same file as that of another.
    func isSame(as other: borrowing LogSink) -> Bool {
        guard let own = FileStatus(number), let others = FileStatus(other.number) else { return false }
        return own.identity == others.identity
    }

    /// Whether a daemon is there.
    var isConnected: Bool { number >= 0 }

    /// How many bytes are best offered at once: of a pipe what it takes whole, of a daemon one line.
    var batch: Int {
        switch kind {
        case .stream, .sharedStream: LogLine.bytesMax
        case .socket: Self.batchMax
        case .file: min(Self.batchMax, rotation?.bytesMax ?? .max)
        case .datagrams: 0
        }
    }

    /// The same pipe or terminal, of which a write never waits, also when another process has filled it meanwhile, or a terminal
    /// has room for a part of the line. The descriptor that was given may be shared with processes that rely on its waiting.
    private static func reopened(_ descriptor: Int32) -> Descriptor? {
        guard let kind = FileStatus(descriptor)?.kind, [.pipe, .characterDevice].contains(kind) else { return nil }
        let number = unsafe open("/proc/self/fd/\(descriptor)", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        return number < 0 ? nil : Descriptor(owning: number)
    }

    private static func connected(to path: String) -> Descriptor? { UnixAddress(path: path)?.connectedDatagrams() }

    // MARK: Offers

    /// Offers lines. None of this waits.
    mutating func offer(_ bytes: ArraySlice<UInt8>) -> Outcome {
        switch kind {
        case .stream: return Self.write(bytes, to: number)
        case .socket: return Self.outcome(Self.send(bytes, to: number))
        case .file, .sharedStream: return .slow
        case .datagrams(let path): return send(bytes, to: path)
        }
    }

    /// Whether a write of at most `batch` bytes need not wait, as far as that is known ahead.
    static func hasRoom(_ file: Int32) -> Bool {
        var readiness = pollfd(fd: file, events: Int16(POLLOUT), revents: 0)
        return unsafe poll(&readiness, 1, 0) > 0
    }

    /// Writes to a file, however long that takes.
    static func write(_ bytes: ArraySlice<UInt8>, to file: Int32) -> Outcome {
        outcome(unsafe bytes.withUnsafeBytes { unsafe Glibc.write(file, $0.baseAddress, $0.count) })
    }

    private static func send(_ bytes: ArraySlice<UInt8>, to socket: Int32) -> Int {
        let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
        return unsafe bytes.withUnsafeBytes { unsafe Glibc.send(socket, $0.baseAddress, $0.count, flags) }
    }

    /// A daemon that was started anew has another socket at the same path.
    private mutating func send(_ bytes: ArraySlice<UInt8>, to path: String) -> Outcome {
        for isSecond in [false, true] {
            if own == nil { own = Self.connected(to: path) }
            guard isConnected else { return .failed }
            guard Self.send(bytes, to: number) < 0 else { return .taken(bytes.count) }
            switch errno {
            case EMSGSIZE: return .refused
            case EAGAIN, EINTR, ENOBUFS: return .full
            default: own = nil
            }
            if isSecond { return .failed }
        }
        return .failed
    }

    private static func outcome(_ count: Int) -> Outcome {
        if count > 0 { return .taken(count) }
        return count < 0 && (errno == EAGAIN || errno == EINTR) ? .full : .failed
    }
}
