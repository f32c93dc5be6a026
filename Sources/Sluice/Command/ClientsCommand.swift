// `sluice clients`: what the clients of a Sluice that runs have used.

import ArgumentParser

struct ClientsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clients", abstract: "Tell what clients have used of what they may.",
        discussion: """
            Of each client that has limits ([clients.NAME]) and has asked today: its tokens of the day, with what open requests have \
            reserved, its requests of the minute, those that are open, and how many were refused today. Clients are called as the web \
            server calls them; no token is known here.
            """)

    @OptionGroup var arguments: ControlArguments

    @Flag(help: "One object of JSON instead of text.")
    var json = false

    func run() throws { printAnswer(try arguments.ask(.clients(isJSON: json)).lines, isForPeople: !json) }
}
