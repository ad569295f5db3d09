// swift-tools-version: 6.2
import PackageDescription

// Layers; arrows only ever point down (docs/architecture.md). The build is run with
// `--explicit-target-dependency-import-check error`, so an import not listed here does not compile.
let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]

let package = Package(
  name: "lbd",
  products: [
    .executable(name: "lbd", targets: ["lbd"]),
    .executable(name: "ipvsadm", targets: ["ipvsadm"]),
    // For the benchmarks, which are a package of their own.
    .library(name: "LbdModules", targets: ["Dataplane", "Control", "Config", "Scheduler", "Wire", "Kernel", "Lab"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
  ],
  targets: [
    // C: static inline wrappers without state, and the layouts shared with the BPF programs.
    .target(
      name: "CShims",
      linkerSettings: [.linkedLibrary("xdp"), .linkedLibrary("bpf")]),
    // libpcap behind a header of our own: pcap.h and libbpf both define struct bpf_insn.
    .target(name: "CPcap", linkerSettings: [.linkedLibrary("pcap")]),

    .target(name: "Wire", swiftSettings: strict),
    .target(name: "Scheduler", swiftSettings: strict),
    .target(
      name: "Kernel", dependencies: ["CShims", "Wire"], swiftSettings: strict,
      plugins: ["EmbedBPF"]),
    .target(
      name: "Dataplane", dependencies: ["CShims", "CPcap", "Wire", "Scheduler", "Kernel"],
      swiftSettings: strict),
    .target(name: "Config", dependencies: ["Wire", "Scheduler"], swiftSettings: strict),
    // PCRE2 behind a header of our own, for the patterns of HTTP checks.
    .target(name: "CPCRE2", linkerSettings: [.linkedLibrary("pcre2-8")]),
    // Programs that a configuration names: as their user, within their time.
    .target(
      name: "Scripts",
      dependencies: [.product(name: "Subprocess", package: "swift-subprocess")],
      swiftSettings: strict),
    .target(
      name: "HealthCheck",
      dependencies: [
        "Wire", "Kernel", "CPCRE2",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "Crypto", package: "swift-crypto"),
      ],
      swiftSettings: strict),
    .target(
      name: "Notify",
      dependencies: [
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),
    // Directors that share addresses: adverts, elections, tracking; no sockets.
    .target(
      name: "VRRP", dependencies: ["Wire", .product(name: "Crypto", package: "swift-crypto")], swiftSettings: strict),
    // The same on this machine: sockets, addresses, links, files and processes that are watched; one thread.
    .target(
      name: "Failover",
      dependencies: ["VRRP", "Wire", "Kernel", "CShims", .product(name: "Logging", package: "swift-log")],
      swiftSettings: strict),
    .target(
      name: "Web",
      dependencies: [
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
      ],
      swiftSettings: strict),
    .target(
      name: "Control",
      dependencies: [
        "Config", "Dataplane", "HealthCheck", "Notify", "Scripts", "Web", "Kernel", "Scheduler", "Wire", "CShims",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ],
      swiftSettings: strict),
    .target(
      name: "Lab", dependencies: ["Kernel", "Wire", "CShims"], swiftSettings: strict),
    .executableTarget(
      name: "lbd",
      dependencies: [
        "Control", "Config", "Dataplane", "Kernel", "Lab", "Wire",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),

    .executableTarget(name: "ipvsadm", dependencies: ["Config", "Kernel", "Wire"], swiftSettings: strict),

    // Compiles bpf/*.bpf.c and embeds the objects into the Kernel target.
    .executableTarget(name: "bpfembed", swiftSettings: strict),
    .plugin(name: "EmbedBPF", capability: .buildTool(), dependencies: ["bpfembed"]),

    .testTarget(name: "WireTests", dependencies: ["Wire"], swiftSettings: strict),
    .testTarget(
      name: "SchedulerTests", dependencies: ["Scheduler"], exclude: ["Vectors"], swiftSettings: strict),
    .testTarget(name: "KernelTests", dependencies: ["Kernel", "Wire", "CShims"], swiftSettings: strict),
    .testTarget(
      name: "DataplaneTests", dependencies: ["Dataplane", "Kernel", "Wire", "Scheduler", "CShims"],
      swiftSettings: strict),
    .testTarget(name: "LabTests", dependencies: ["Lab", "Kernel", "Wire"], swiftSettings: strict),
    .testTarget(
      name: "ConfigTests", dependencies: ["Config", "Wire", "Scheduler"], exclude: ["Samples"],
      swiftSettings: strict),
    .testTarget(name: "ScriptsTests", dependencies: ["Scripts"], swiftSettings: strict),
    .testTarget(
      name: "HealthCheckTests",
      dependencies: [
        "HealthCheck", "Wire",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOEmbedded", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "NotifyTests",
      dependencies: [
        "Notify",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOEmbedded", package: "swift-nio"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),
    .testTarget(name: "VRRPTests", dependencies: ["VRRP", "Wire"], exclude: ["Vectors"], swiftSettings: strict),
    .testTarget(
      name: "FailoverTests",
      dependencies: [
        "Failover", "VRRP", "Wire", "Kernel", "CShims", .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "WebTests",
      dependencies: [
        "Web",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOEmbedded", package: "swift-nio"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "ControlTests",
      dependencies: [
        "Control", "Config", "Dataplane", "HealthCheck", "Notify", "Scripts", "Wire", "Scheduler", "Kernel", "Lab",
        "CShims",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "ConformanceTests", dependencies: ["Control", "Config", "Dataplane", "Wire"], exclude: ["Vectors"],
      swiftSettings: strict),
  ]
)

// For `make test-tsan`, which has the shared tables in view, the fuzzers, which have frames, configurations and the
// socket, and work on one part: everything else would only take minutes to build.
let dataplane: Set = ["Wire", "Scheduler", "CShims", "CPcap", "Kernel", "Dataplane", "bpfembed", "EmbedBPF"]
let parts: [String: Set<String>] = [
  "tables": dataplane.union(["DataplaneTests"]),
  "frames": dataplane.union(["DataplaneTests"]),
  "configurations": ["Wire", "Scheduler", "Config", "ConfigTests"],
  "socket": dataplane.union([
    "Config", "CPCRE2", "HealthCheck", "Scripts", "Notify", "Web", "Control", "Lab", "ControlTests",
  ]),
  "checks": ["Wire", "CShims", "Kernel", "bpfembed", "EmbedBPF", "CPCRE2", "HealthCheck", "HealthCheckTests"],
  "scripts": ["Scripts", "ScriptsTests"],
  "notify": ["Notify", "NotifyTests"],
  "web": ["Web", "WebTests"],
  "vrrp": ["Wire", "WireTests", "VRRP", "VRRPTests"],
  "failover": ["Wire", "CShims", "Kernel", "bpfembed", "EmbedBPF", "VRRP", "Failover", "FailoverTests"],
]
if let choice = Context.environment["LBD_TESTS"], let needed = parts[choice] {
  package.products = []
  package.targets.removeAll { !needed.contains($0.name) }
  if choice == "tables" {
    package.targets.first { $0.name == "DataplaneTests" }?.path = "Tests/DataplaneTests/Tables"
  }
}
