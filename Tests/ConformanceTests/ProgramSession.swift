import Foundation
import Glibc
import Wire

/// A shell in a network of its own, with `lbd run` beside it and `ipvsadm` first in its path: what an operator has. Nothing
/// is left behind; the namespaces go with the shell.
final class ProgramSession {
  /// Why it cannot be had, or nil.
  static let obstacle: String? = {
    guard geteuid() == 0 else { return "needs root" }
    for program in ["lbd", "ipvsadm"] where access("\(folder)/\(program)", X_OK) != 0 {
      return "\(program) is not built beside the tests"
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["unshare", "--net", "--mount", "sh", "-c", "command -v ip bash"]
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return "no unshare(1)" }
    process.waitUntilExit()
    return process.terminationStatus == 0 ? nil : "no namespaces, or no ip(8)"
  }()

  /// Where the programs are built: beside the tests.
  private static let folder: String = {
    let path = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    return URL(fileURLWithPath: path).deletingLastPathComponent().path
  }()

  private let files: TemporaryFolder
  private let shell = Process()
  private let input = Pipe()
  private let interface = "lbdt\(getpid() % 100_000)"

  /// - Parameter network: lines that make the network; lbd is started after them.
  init(network: String) throws {
    files = try TemporaryFolder()
    try FileManager.default.createDirectory(atPath: files.path + "/bin", withIntermediateDirectories: true)
    let packaging = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("packaging").path
    for (name, folder) in [
      ("lbd", ProgramSession.folder), ("ipvsadm", ProgramSession.folder), ("ipvsadm-save", packaging),
      ("ipvsadm-restore", packaging),
    ] {
      try FileManager.default.createSymbolicLink(
        atPath: files.path + "/bin/\(name)", withDestinationPath: "\(folder)/\(name)")
    }
    shell.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    shell.arguments = ["unshare", "--net", "--mount", "bash"]
    shell.standardInput = input
    shell.standardOutput = FileHandle.nullDevice
    shell.standardError = FileHandle.nullDevice
    try shell.run()
    try type(
      """
      export PATH=\(files.path)/bin:$PATH LBD_SOCKET=\(files.path)/socket LC_ALL=C
      cd \(files.path)
      sysctl -qw net.ipv6.conf.default.disable_ipv6=1
      ip link set lo up

      """ + network)
  }

  /// A session in the network of the recordings. Names are as little known as there: `/etc/services` is empty.
  static func recorded() throws -> ProgramSession {
    let session = try ProgramSession(network: "mount --bind /dev/null /etc/services")
    try session.setUp()
    return session
  }

  /// Types lines that have to succeed.
  func type(_ lines: String) throws {
    for line in lines.split(separator: "\n") {
      let answer = try answer(String(line))
      guard answer.exitCode == 0 else { throw Failure(what: "\(line): \(answer.errors)") }
    }
  }

  /// Starts lbd and waits until it answers: it listens before it is ready, and answers when it is.
  func startDirector(_ options: String = "") throws {
    try type(
      """
      \(ProgramSession.folder)/lbd run --port packet --socket $LBD_SOCKET \(options) > log 2>&1 & true
      for n in $(seq 300); do ipvsadm --version && break; sleep 0.1; done
      """)
  }

  /// Ends lbd.
  func stopDirector() throws { _ = try answer("kill $(jobs -p); wait") }

  deinit {
    input.fileHandleForWriting.write(Data("kill $(jobs -p); wait; exit\n".utf8))
    try? input.fileHandleForWriting.close()
    shell.waitUntilExit()
  }

  private func setUp() throws {
    try type(
      """
      ip link add eth0 address 02:00:00:00:01:01 type veth peer name \(interface)
      ip link add eth1 address 02:00:00:00:02:01 type veth peer name far
      for i in eth0 eth1 \(interface) far; do ip link set $i up; done
      ip addr add 10.1.0.1/24 dev eth0; ip addr add 10.1.0.100/32 dev eth0; ip addr add 10.2.0.1/24 dev eth1
      for i in 11 12 13 14 15 16; do ip neigh replace 10.2.0.$i lladdr 02:00:00:00:02:$i dev eth1; done
      ip link set \(interface) netns \(getpid())
      """)
    try host("link", "set", interface, "up")
    // What is sent before the link is up is lost.
    try type("for n in $(seq 300); do ip link show eth0 | grep -q 'state UP' && break; sleep 0.01; done")
    try startDirector()
  }

  private func host(_ words: String...) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["ip"] + words
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw Failure(what: "ip \(words.joined(separator: " "))") }
  }

  struct Failure: Error { let what: String }

  /// Types a line.
  func answer(_ line: String) throws -> Transcript.Answer {
    let path = files.path
    for name in ["code", "out", "err"] { unlink("\(path)/\(name)") }
    let command =
      "{ \(line)\n} > \(path)/out 2> \(path)/err; echo $? > \(path)/code.new; mv \(path)/code.new \(path)/code\n"
    input.fileHandleForWriting.write(Data(command.utf8))
    for _ in 0..<40_000 {
      if access("\(path)/code", R_OK) == 0 { break }
      guard shell.isRunning else { throw Failure(what: "the shell has ended at: \(line)") }
      usleep(1000)
    }
    func read(_ name: String) throws -> String { try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8) }
    guard let code = Int32(try read("code").trimmingCharacters(in: .whitespacesAndNewlines)) else {
      throw Failure(what: "no exit code of: \(line)")
    }
    return Transcript.Answer(output: try read("out"), errors: try read("err"), exitCode: code)
  }

  /// Sends frames into `eth0`.
  func send(_ frames: [[UInt8]]) throws {
    let descriptor = socket(AF_PACKET, Int32(SOCK_RAW.rawValue), 0)
    guard descriptor >= 0 else { throw Failure(what: "packet socket") }
    defer { close(descriptor) }
    // sockaddr_ll: family, protocol, index.
    var address = [UInt8](repeating: 0, count: 20)
    withUnsafeBytes(of: UInt16(AF_PACKET)) { address.replaceSubrange(0..<2, with: $0) }
    withUnsafeBytes(of: if_nametoindex(interface)) { address.replaceSubrange(4..<8, with: $0) }
    for frame in frames {
      let sent = address.withUnsafeBytes { raw in
        sendto(descriptor, frame, frame.count, 0, raw.baseAddress?.assumingMemoryBound(to: sockaddr.self), 20)
      }
      guard sent == frame.count else { throw Failure(what: "send: \(String(cString: strerror(errno)))") }
      usleep(2000)
    }
  }
}
