import EventLoop
import Testing

@testable import Settings
@testable import Sluice

/// How long a reload reads.
@Suite struct `The files of a reload` {
    @Test func `are read no longer than all together may take, whichever they are`() throws {
        let failure = #expect(throws: SettingsError.self) {
            _ = try FileAccess.load(within: .zero) { files throws(SettingsError) in
                var problems: [String] = []
                do throws(SystemError) { _ = try files.read("/dev/null") } catch { problems.append("\(error.code)") }
                do throws(SystemError) { _ = try files.list("/dev/*") } catch { problems.append("\(error.code)") }
                throw SettingsError(problems: problems, moreCount: 3)
            }
        }
        #expect(failure?.lines == ["reading the settings takes longer than 0s: 62", "62", "… and 3 more"])
    }

    @Test func `that have come in time have the mistakes that they have, and no other`() throws {
        let failure = #expect(throws: SettingsError.self) {
            _ = try FileAccess.load(within: .seconds(600)) { files throws(SettingsError) in
                do throws(SystemError) { _ = try files.read("/dev/null") } catch {
                    throw SettingsError(problems: ["late"])
                }
                throw SettingsError(problems: ["a mistake"])
            }
        }
        #expect(failure?.lines == ["a mistake"])
    }
}
