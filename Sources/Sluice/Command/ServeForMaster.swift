// The start of a process that a master has started.

import ArgumentParser
import EventLoop
import Glibc
import Settings

extension Serve {
    /// Serves beside others, by the settings that they have too.
    func runForMaster() throws {
        // The terminal may be one that stops whoever writes there from behind (`stty tostop`), as it does not read from there.
        _ = signal(SIGTTOU, SIG_IGN)
        let link: MasterLink?
        do throws(MasterGone) { link = try MasterLink() } catch {
            writeError("sluice: \(error)")
            throw ExitCode(1)
        }
        guard let master = link else { throw ValidationError("--process is for the processes that Sluice starts itself") }
        nameProcess("sluice")
        let (start, settings) = try load(for: master)
        if !settings.dumpsCore { forbidCoreDumps() }
        let log = try openLog(orStandardError: settings.log)
        try reporting(to: log) { try Server.run(settings, log, for: master, load: loading(after: start)) }
    }

    /// - Returns: the settings that were in force when Sluice was started, and those that are now.
    private func load(for master: MasterLink) throws -> (LoadedSettings, Settings) {
        do throws(SettingsError) {
            // Of these only what a start alone can change: TLS has no use of them.
            let start = try Sluice.settings(of: master.firstRecord) { files throws(SettingsError) in
                try arguments.sources(files, readsTLSFiles: false).load()
            }
            let load = loading(after: start)
            var settings = try Sluice.settings(of: master.record, by: load).settings
            _ = settings.restoreStartOnlySettings(of: start.settings)
            return (start, settings)
        } catch {
            throw error.told
        }
    }

    /// A file that cannot be made any more, as on a disk that is full, keeps no process from serving.
    private func openLog(orStandardError settings: Settings.Log) throws -> Log {
        do throws(SystemError) { return try Log(settings) } catch {
            var other = settings
            other.destination = .standardError
            let log = try Log(other)
            log.logger.logGoesToStandardError(error)
            return log
        }
    }
}
