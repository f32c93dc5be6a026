// What the kernel tells of a process: its threads, children and open files (proc(5)).

import Foundation
import Glibc

/// The threads of a process.
func threads(of process: pid_t) -> [(number: String, name: String)] {
    let numbers = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task")) ?? []
    return numbers.map { number in
        let name = (try? String(contentsOfFile: "/proc/\(process)/task/\(number)/comm", encoding: .utf8)) ?? ""
        return (number, name.trimmingCharacters(in: .newlines))
    }
}

/// The processes that one has started.
func children(of process: pid_t) -> [pid_t] {
    let numbers = (try? FileManager.default.contentsOfDirectory(atPath: "/proc"))?.compactMap { pid_t($0) } ?? []
    return numbers.filter { number in
        let text = (try? String(contentsOfFile: "/proc/\(number)/stat", encoding: .utf8)) ?? ""
        // Behind the name, which may have anything in it: the state, and the parent.
        return text.split(separator: ")").last?.split(separator: " ").dropFirst().first == "\(process)"
    }
}

func openFiles(of process: pid_t) -> [(path: String, target: String)] {
    let folder = "/proc/\(process)/fd"
    return ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).compactMap { number in
        let path = "\(folder)/\(number)"
        return (try? FileManager.default.destinationOfSymbolicLink(atPath: path)).map { (path, $0) }
    }
}

func hasOpen(_ name: String, _ process: pid_t) -> Bool {
    openFiles(of: process).contains { $0.target.hasSuffix("/\(name)") }
}

/// What the records of settings hold that a process has open.
func memoryFiles(of process: pid_t) -> [String] {
    openFiles(of: process).filter { $0.target.contains("memfd:sluice settings") }.compactMap { file in
        // One that has been closed meanwhile holds nothing.
        (try? Data(contentsOf: URL(filePath: file.path))).map { String(decoding: $0, as: UTF8.self) }
    }
}

func openNumbers(of process: pid_t) -> Set<Int> {
    Set(openFiles(of: process).compactMap { Int($0.path.split(separator: "/").last ?? "") })
}
