// swift-tools-version: 6.3
import PackageDescription

let package = Package(
    name: "sluice",
    products: [.executable(name: "sluice", targets: ["Sluice"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
    ],
    targets: [
        .systemLibrary(name: "CFastCGI", pkgConfig: "fcgi", providers: [.apt(["libfcgi-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CNghttp2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
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
        .executableTarget(
            name: "Sluice",
            dependencies: [
                "EventLoop", "Clock", "FastCGI", "HTTPClient", "Chat", "Choosing", "Settings",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            resources: [
                .embedInCode("Pages/openapi.json"), .embedInCode("Pages/Page/page.html"), .embedInCode("Pages/Page/page.css"),
                .embedInCode("Pages/Page/stream.js"), .embedInCode("Pages/Page/answer.js"), .embedInCode("Pages/Page/timing.js"),
                .embedInCode("Pages/Page/status.js"), .embedInCode("Pages/Page/page.js"),
            ],
            // The Swift runtime needs the C++ one. With both linked in, the binary asks for no more than libfcgi,
            // OpenSSL, nghttp2 and libc.
            // Their functions are looked up at the start, not in the first request, and the table of them is read-only from then on.
            // Functions with the same code are kept once, unless somebody may compare their addresses.
            linkerSettings: [
                .unsafeFlags(
                    [
                        "-L\(Context.packageDirectory)/deploy/static", "-Xclang-linker", "-static-libgcc", "-Xlinker", "-s",
                        "-Xlinker", "-z", "-Xlinker", "now", "-Xlinker", "--icf=safe",
                    ],
                    .when(configuration: .release))
            ]),

        .target(name: "TestSupport", dependencies: ["EventLoop", "Clock"], path: "Tests/TestSupport"),
        .executableTarget(
            name: "Benchmarks", dependencies: ["EventLoop", "Clock", "FastCGI", "Chat", "Choosing"], path: "Tests/Benchmarks",
            exclude: ["harness", "run"]),
        .testTarget(name: "EventLoopTests", dependencies: ["EventLoop", "Clock", "TestSupport"]),
        .testTarget(name: "FastCGITests", dependencies: ["FastCGI", "Clock", "TestSupport"]),
        .testTarget(name: "HTTPClientTests", dependencies: ["HTTPClient", "Clock", "CLinux", "COpenSSL", "TestSupport"]),
        .testTarget(name: "ChatTests", dependencies: ["Chat", "TestSupport"]),
        .testTarget(name: "ChoosingTests", dependencies: ["Choosing", "Clock", "Chat", "TestSupport"]),
        .testTarget(
            name: "SettingsTests",
            dependencies: [
                "Settings", "EventLoop", "FastCGI", "HTTPClient", "Chat", "Choosing", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ]),
        .testTarget(
            name: "SluiceTests", dependencies: ["Sluice", "Settings", "Chat", "Choosing", "Clock", "HTTPClient", "TestSupport"]),
        .testTarget(name: "EndToEnd", dependencies: ["TestSupport", "Clock"], path: "Tests/EndToEnd", exclude: ["clients"]),
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
