// The start of a process that a master has started.

import ArgumentParser
import EventLoop
import Glibc
import Settings

extension Serve {
    /// Serves beside others, by the settings that they have too.
    func runForMaster(_ hidden: HiddenProcess) throws {
        // The terminal may be one that stops whoever writes there from behind (`stty tostop`), as it does not read from there.
        _ = signal(SIGTTOU, SIG_IGN)
        nameProcess("sluice")
        let (master, settings, load) = try settingsOfMaster()
        hidden.follow(settings)
        let log = try openLog(orStandardError: settings.log)
        try reporting(to: log) { try Server.run(settings, log, for: master, load: load) }
    }

    /// - Returns: beside the master, the settings that are in force, and how they are loaded anew.
    private func settingsOfMaster() throws -> (MasterLink, Settings, SettingsLoading) {
        do {
            guard let (master, record) = try MasterLink.taken() else {
                throw ValidationError("--process is for the processes that Sluice starts itself")
            }
            let start = try Settings(startOnlyText: master.startOnly.text)
            let load = loading(processes: start.processes, file: master.startOnly.file)
            var settings = try load(record.access).settings
            _ = settings.restoreStartOnlySettings(of: start)
            return (master, settings, load)
        } catch let error as MasterGone {
            writeError("sluice: \(error)")
            throw ExitCode(1)
        } catch let error as SystemError {
            writeError("sluice: \(error)")
            throw ExitCode(1)
        } catch let error as SettingsError {
            throw error.told
        }
    }

    /// A file that cannot be made any more, as on a disk that is full, keeps no process from serving.
    private func openLog(orStandardError settings: Settings.Log) throws -> Log {
        let environment = Log.Environment(process: getpid())
        do throws(SystemError) { return try Log(settings, in: environment) } catch {
            var other = settings
            other.destination = .standardError
            let log = try Log(other, wanted: settings, in: environment)
            log.logger.logGoesToStandardError(error)
            return log
        }
    }
}
