// What is set for the process as a whole: where it is reached, what serves in it, and its files.

import EventLoop
import FastCGI
import Glibc

extension Settings {
    /// Read alone too, by those who ask at it.
    static var controlField: Field<Settings> {
        Field(
            "control", optional: \.control, .controlAddress,
            """
            Where sluice status, clients, reload, reopen and stop ask this process, as unix:PATH: a socket for its user and root alone, in a \
            folder that this user may write to. The service has /run/sluice/sluice for it.
            """,
            default: .words("none"), examples: [#""unix:/run/sluice/sluice/control.sock""#], option: "--control", needsStart: true
        )
    }

    static var processFields: [Field<Settings>] {
        [
            Field(
                "listen", \.listen, .listenAddresses,
                """
                Where web servers connect: unix:PATH, tcp:HOST:PORT, fd:NUMBER for a listening socket that the parent process passes \
                on, "systemd" for all sockets of the service's socket units, or "systemd:NAME" for those with this \
                FileDescriptorName=. An array of them is served all at once: ["unix:/run/sluice/sluice.sock", "tcp:127.0.0.1:9000", \
                "tcp:[::1]:9000"]; the command line takes --listen several times, and the environment's variable commas between \
                addresses. Where nobody names one, a listening socket on descriptor 0 is taken, if there is one.
                """,
                environment: EnvironmentVariable.listen, option: "--listen", needsStart: true),
            Field(
                "allowed_addresses", optional: \.socket.allowedAddresses, .addressRanges,
                """
                The machines that may connect over TCP, each by its address or in a range of them: the web servers, and whoever else \
                asks how Sluice does. All others are closed before a byte of theirs is read. IPv4 that comes over IPv6 is IPv4 here; \
                "::/0" is IPv6 alone. The environment's variable, FastCGI's own, has commas between them.
                """,
                default: .words("whoever reaches the port, and a warning where other machines do"),
                examples: [#"["10.0.0.0/8", "::1"]"#], environment: EnvironmentVariable.allowedAddresses, needsStart: true),
            controlField,
            Field(
                "page", \.hasPage, .boolean,
                """
                Whether there is a page for browsers beside the status, on a path that ends in /sluice/: a chat with this Sluice, with each \
                event and its time, and how the upstreams do. It is there for those whom the web server lets ask for the status; a chat takes \
                a token all the same.
                """),
            Field(
                "workers", \.workers, .workers,
                """
                Threads that serve in each process, each on its own: "auto" for one per core that Sluice may run on, divided among the \
                processes, or a number.
                """,
                default: .value(#""auto""#), option: "--workers", needsStart: true),
            Field(
                "processes", \.processes, .number(in: processesRange),
                """
                Processes that serve. With more than one, a master starts them: it holds the sockets and starts another in the place of \
                one that dies, which ends that one's requests alone. limits.requests holds for all of them together; limits.memory and \
                an upstream's concurrent are divided among them; rests, and what retries and hedges may spend, are each process's own.
                """,
                option: "--processes", needsStart: true),
            Field(
                "supervise", \.isSupervised, .boolean, "Whether there is a master for a single process too.", needsStart: true),
            Field(
                "idle_exit", \.idleExit, .duration(in: .upToADay),
                """
                Ends the process, as SIGTERM does, when for so long nobody has connected and no request was there: for sockets that are \
                passed on ("systemd", "fd:0"), where the next call has it started again. With addresses that Sluice opens itself, or \
                with a master, it is an error. "0s" is for never.
                """, needsStart: true),
            Field(
                "core_dumps", \.dumpsCore, .boolean,
                """
                Whether a process that crashes may leave a core dump, as the limit of the system says (ulimit -c). In it are prompts, \
                answers and keys. Without it debuggers of other users than root do not reach the process either.
                """,
                needsStart: true),
            Field(
                "authorities_file", optional: \.authoritiesFile, .file,
                """
                A PEM file of the authorities that vouch for upstreams, instead of the system's: where some have a private \
                authority and some a public one it must hold both. An authority below another counts without that one, and so \
                does a server's own certificate. A relative path begins at the directory of this file.
                """,
                default: .words("the system's"), examples: [#""/etc/ssl/certs/ca-certificates.crt""#],
                environment: EnvironmentVariable.authoritiesFile),
            Field(
                "budgets_file", optional: \.budgetsFile, .writtenFile,
                """
                Where what clients have used of their budgets is kept, so that it outlives a restart and a crash, but for the last \
                second of that: a small file, which is made where there is none, in a folder that Sluice may write. A relative path begins \
                at the directory of this file.
                """,
                default: .words("\"budgets\" in StateDirectory= of the service of systemd, else none: in memory alone"),
                examples: [#""/var/lib/sluice/budgets""#], needsStart: true),
        ] + storeFields + [nameLifetimeField]
    }

    private static var nameLifetimeField: Field<Settings> {
        Field(
            "dns_ttl", \.nameLifetime, .duration(in: .secondToADay),
            "How long the addresses of an upstream's name are used before they are looked up again.")
    }
}

extension SocketAccess {
    static var fields: [Field<SocketAccess>] {
        [
            Field("mode", \.mode, .fileMode, #"The permissions of unix:PATH, at least "0600"."#, needsStart: true),
            Field(
                "group", optional: \.group, .text, "The group of unix:PATH.", default: .words("that of the process"),
                examples: [#""www-data""#], needsStart: true),
            Field(
                "allowed_users", \.allowedUsers, .texts,
                """
                The users whose processes may connect, to sockets of systemd and of the parent process too. TCP tells no user: \
                allowed_addresses is for that.
                """,
                default: .words("anyone whom the mode lets in"), examples: [#"["www-data"]"#],
                needsStart: true),
        ]
    }
}

extension FieldKind<mode_t> {
    /// Octal digits, as chmod takes them.
    fileprivate static var fileMode: Self {
        FieldKind(
            form: .other("octal digits"),
            read: { reader, node throws(SettingsProblem) in
                let text = try reader.text(node)
                guard (3...4).contains(text.utf8.count), !text.hasPrefix("+"), let mode = UInt32(text, radix: 8), mode <= 0o777
                else {
                    throw SettingsProblem(node, "must be octal digits up to \"0777\", as \"0660\"")
                }
                guard mode & 0o600 == 0o600 else {
                    throw SettingsProblem(node, "must let the owner read and write, as \"0660\"")
                }
                return mode
            }, write: { TOMLText.string("0\(String($0, radix: 8))") })
    }
}

extension FieldKind<Int> {
    /// `"auto"`, which is 0 until all is known, or how many.
    fileprivate static var workers: Self {
        let range = Settings.workersRange
        return FieldKind(
            form: .other("\"auto\", or a whole number", in: range),
            read: { _, node throws(SettingsProblem) in
                if case .string("auto") = node.value { return 0 }
                guard case .integer(let count) = node.value, range.contains(count) else {
                    throw SettingsProblem(
                        node, "must be \"auto\" or a number from \(range.lowerBound) to \(range.upperBound)")
                }
                return count
            }, write: { "\($0)" })
    }
}

extension FieldKind<String> {
    /// `unix:PATH`; the value is the path.
    static var controlAddress: Self {
        FieldKind(
            form: .other("unix:PATH"),
            read: { reader, node throws(SettingsProblem) in
                let text = try reader.text(node)
                do throws(ListenAddressError) { return try ListenAddress.controlPath(text) } catch {
                    throw SettingsProblem(node, error.advice)
                }
            }, write: { TOMLText.string("unix:\($0)") })
    }

    /// The path of a file that Sluice makes.
    fileprivate static var writtenFile: Self {
        FieldKind(
            form: .other("the path of a file"),
            read: { reader, node throws(SettingsProblem) in
                let path = try reader.text(node)
                guard !SettingsReader.isCredential(path), path.utf8.last != UInt8(ascii: "/") else {
                    throw SettingsProblem(node, "must be the path of a file that can be written")
                }
                let file = reader.file(path, of: node)
                reader.warnOfFolder(of: file, node)
                return file
            }, write: TOMLText.string)
    }
}

extension FieldKind<[ListenAddress]> {
    /// One, or an array of them.
    fileprivate static var listenAddresses: Self {
        let range = Settings.listenRange
        return FieldKind(
            form: .other("an address, or an array of \(range.lowerBound) to \(range.upperBound)"),
            read: { reader, node throws(SettingsProblem) in
                guard case .array(let elements) = node.value else {
                    return [try reader.listenAddress(node, "an address, or an array of them")]
                }
                guard range.contains(elements.count) else {
                    throw SettingsProblem(node, "must have \(range.lowerBound) to \(range.upperBound) addresses")
                }
                var addresses: [ListenAddress] = []
                for element in elements {
                    let address = try reader.listenAddress(element, "an address")
                    guard !addresses.contains(address) else {
                        throw SettingsProblem(element, "is an address that stands before it already")
                    }
                    addresses.append(address)
                }
                return addresses
            },
            write: {
                $0.count == 1 ? TOMLText.string($0[0].description) : TOMLText.array($0.map(\.description))
            })
    }
}

extension FieldKind<[AddressRange]> {
    /// Never none: that would be a way to let nobody in, or all.
    fileprivate static var addressRanges: Self {
        let range = Settings.allowedAddressesRange
        return FieldKind(
            form: .other("an array of \(range.lowerBound) to \(range.upperBound) addresses or ranges of IP"),
            read: { reader, node throws(SettingsProblem) in
                guard case .array(let elements) = node.value, range.contains(elements.count) else {
                    throw SettingsProblem(node, "must be an array of \(range.lowerBound) to \(range.upperBound) strings")
                }
                var ranges: [AddressRange] = []
                for element in elements {
                    let text = try reader.text(element)
                    do throws(AddressRangeError) { ranges.append(try AddressRange(text)) } catch {
                        throw SettingsProblem(element, error.advice)
                    }
                }
                return ranges
            }, write: { TOMLText.array($0.map(\.description)) })
    }
}

extension SettingsReader {
    fileprivate func listenAddress(_ node: SettingsNode, _ wanted: String) throws(SettingsProblem) -> ListenAddress {
        guard case .string = node.value else {
            let hint = KeyPlaces.hint(forMembers: node.ownMembers.map(\.key), of: node.path.text)
            throw SettingsProblem(node, "must be \(wanted); \(hint ?? ListenAddressError.forms)")
        }
        let text = try text(node)
        do throws(ListenAddressError) { return try ListenAddress(text) } catch { throw SettingsProblem(node, error.advice) }
    }
}
