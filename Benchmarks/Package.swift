// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that the product carries nothing that only measuring needs.
let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]
// The references are to be as good as C gets on the machine they run on.
let native: [CSetting] = [.unsafeFlags(["-O3", "-march=native"])]
let lbd: Target.Dependency = .product(name: "LbdModules", package: "lbd")

let package = Package(
  name: "lbd-benchmarks",
  dependencies: [
    .package(name: "lbd", path: ".."),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
  ],
  targets: [
    // The core loop in C, which ours is held against; and the plain loop with a table of two lines a flow.
    .target(name: "CReference", cSettings: native),
    // The same for any x86-64, to be counted under valgrind, which does not know the newest instructions.
    .target(name: "CReferencePortable", dependencies: ["CReference"], cSettings: [.unsafeFlags(["-O3"])]),
    // The forwarder that does nothing, and the load generator, over AF_XDP and BPF.
    .target(name: "CForwarder", cSettings: native, linkerSettings: [.linkedLibrary("xdp"), .linkedLibrary("bpf")]),

    .target(name: "BenchReport", swiftSettings: strict),
    .target(
      name: "BenchCore", dependencies: ["BenchReport", "CReference", "CReferencePortable", lbd], swiftSettings: strict),
    .target(name: "BenchWire", dependencies: ["BenchReport", "CForwarder", lbd], swiftSettings: strict),
    .target(name: "BenchCapture", dependencies: ["BenchReport", lbd], swiftSettings: strict),
    .target(name: "BenchPeers", dependencies: ["BenchReport", lbd], swiftSettings: strict),
    .executableTarget(
      name: "lbd-bench",
      dependencies: [
        "BenchReport", "BenchCore", "BenchCapture", "BenchWire", "BenchPeers",
        .product(name: "ArgumentParser", package: "swift-argument-parser"), lbd,
      ],
      swiftSettings: strict),

    .testTarget(name: "BenchReportTests", dependencies: ["BenchReport"], swiftSettings: strict),
    .testTarget(name: "BenchPeersTests", dependencies: ["BenchPeers", "BenchReport"], swiftSettings: strict),
    .testTarget(
      name: "BenchCoreTests", dependencies: ["BenchCore", "BenchReport", lbd], swiftSettings: strict),
  ]
)
