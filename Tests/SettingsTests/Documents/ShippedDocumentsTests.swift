import EventLoop
import Glibc
import Testing

@testable import Settings

/// The documents that are made of the settings' fields.
@Suite struct ShippedDocumentsTests {
    private static let command = "SLUICE_WRITE_DOCUMENTS=1 swift test --filter ShippedDocumentsTests"

    @Test func `deploy/sluice_toml is what the fields make`() throws {
        try check("deploy/sluice.toml", SettingsTemplate(DocumentEntries()).text)
    }

    @Test func `docs/settings_md is what the fields make`() throws {
        try check("docs/settings.md", SettingsReference(DocumentEntries()).text)
    }

    @Test func `every key is described by sentences`() throws {
        let entries = try DocumentEntries()
        for entry in entries.sections.flatMap(\.entries) + entries.upstream + entries.model {
            for described in entry.isTable ? entry.members : [entry] + entry.members {
                let meaning = described.description.meaning
                #expect(meaning.hasSuffix(".") && !meaning.contains { $0.isNewline }, "\(described.key)")
            }
        }
    }

    /// The first line that differs.
    private func difference(_ found: String, _ made: String) -> String {
        let lines = [found, made].map { $0.split(separator: "\n", omittingEmptySubsequences: false) }
        let index = zip(lines[0], lines[1]).prefix { $0 == $1 }.count
        return "- \(lines[0].dropFirst(index).first ?? "")\n+ \(lines[1].dropFirst(index).first ?? "")"
    }

    /// Where `SLUICE_WRITE_DOCUMENTS` is set the file is made anew.
    private func check(_ file: String, _ made: String) throws {
        let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let path = "/\(root)/\(file)"
        if unsafe getenv("SLUICE_WRITE_DOCUMENTS") != nil {
            let output = try SystemError.check(path, unsafe creat(path, 0o644))
            let bytes = [UInt8](made.utf8)
            #expect(unsafe write(output, bytes, bytes.count) == bytes.count)
            close(output)
        }
        let found = String(decoding: try readFile(path), as: UTF8.self)
        let isSame = made == found
        #expect(isSame, "\(file) is not what the fields make; this makes it anew: \(Self.command)\n\(difference(found, made))")
    }
}
