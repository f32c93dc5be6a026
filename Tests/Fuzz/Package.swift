// swift-tools-version: 6.3
// The modules of Sluice once more, as what libFuzzer feeds: see `run`, which builds this in a folder of its own.
import PackageDescription

let package = Package(
    name: "sluice",
    dependencies: [
        // As the package itself has resolved them.
        .package(path: "checkouts/swift-log"),
        .package(path: "checkouts/TOMLKit"),
    ],
    targets: [
        .systemLibrary(name: "CFastCGI", pkgConfig: "fcgi"),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl"),
        .systemLibrary(name: "CNghttp2", pkgConfig: "libnghttp2"),
        .systemLibrary(name: "CLinux"),

        .target(name: "Clock"),
        .target(name: "EventLoop", dependencies: ["Clock", "CLinux"]),
        .target(name: "FastCGI", dependencies: ["EventLoop", "Clock", "CFastCGI", "CLinux"]),
        .target(name: "HTTPClient", dependencies: ["EventLoop", "Clock", "COpenSSL", "CNghttp2", "CLinux"]),
        .target(name: "Chat"),
        .target(name: "Choosing", dependencies: ["Chat", "Clock"]),
        .target(
            name: "Settings",
            dependencies: [
                "EventLoop", "Clock", "FastCGI", "HTTPClient", "Chat", "Choosing",
                .product(name: "Logging", package: "swift-log"), .product(name: "TOMLKit", package: "TOMLKit"),
            ]),
        .target(
            name: "Sluice",
            dependencies: [
                "EventLoop", "Clock", "FastCGI", "HTTPClient", "Chat", "Choosing", "Settings",
                .product(name: "Logging", package: "swift-log"),
            ],
            // libFuzzer has a main of its own.
            exclude: ["Command"],
            resources: [
                .embedInCode("Pages/openapi.json"), .embedInCode("Pages/Page/page.html"), .embedInCode("Pages/Page/page.css"),
                .embedInCode("Pages/Page/stream.js"), .embedInCode("Pages/Page/answer.js"), .embedInCode("Pages/Page/timing.js"),
                .embedInCode("Pages/Page/status.js"), .embedInCode("Pages/Page/page.js"),
            ]),
        .executableTarget(
            name: "Fuzz",
            dependencies: ["EventLoop", "Clock", "FastCGI", "HTTPClient", "Chat", "Choosing", "Settings", "Sluice"],
            path: "Fuzz",
            exclude: ["run", "Package.swift", "corpus", "dictionaries"]),
    ]
)

for target in package.targets where target.type != .system {
    target.swiftSettings = [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
        .enableUpcomingFeature("InferIsolatedConformances"),
        .strictMemorySafety(),
        .treatAllWarnings(as: .error),
    ]
}
