import Config
import Glibc

/// `--state FILE`: the rules, kept over restarts as the commands that make them.
///
/// The file can be read by `ipvsadm -R`. It is replaced as a whole: written beside, brought to the disk, renamed; a crash
/// leaves the old one or the new one.
struct RuleFile {
  let path: String

  /// Carries out what the file says; without a file there is nothing to do.
  /// - Throws: when a line cannot be carried out: the file is lbd's own, and half of it is worse than none.
  func load(into administration: inout Administration, topology: Topology) throws {
    let file = ConfigurationFile(path: path)
    guard file.exists else { return }
    var edited = administration
    for (number, words) in IpvsadmBatch(try file.bytes()).enumerated() {
      do {
        try edited.change(try IpvsadmCommand.parse(words).get(), topology: topology)
      } catch {
        throw RuleFileRefused(
          description: "\(path): command \(number + 1), '\(words.joined(separator: " "))': \(error)"
            + " (correct the line, or remove the file to start empty)")
      }
    }
    administration = edited
  }

  /// Writes what there is.
  func store(_ administration: Administration, in place: Administration.Surroundings) throws {
    let times = administration.timeouts
    var text = "--set \(times.tcpSeconds) \(times.tcpFinSeconds) \(times.udpSeconds)\n"
    for daemon in administration.daemons.listed {
      text += "--start-daemon \(daemon.role.rawValue) --mcast-interface \(daemon.interface) --syncid \(daemon.syncID)"
      if let limit = daemon.lengthLimit { text += " --sync-maxlen \(limit)" }
      text += " --mcast-group \(daemon.group) --mcast-port \(daemon.port) --mcast-ttl \(daemon.ttl)\n"
    }
    try TextFile.replace(path, with: text + administration.listing(in: place).savedInOrder(), isDurable: true)
  }
}

/// A file of rules that cannot be carried out.
struct RuleFileRefused: Error, CustomStringConvertible {
  let description: String
}
