import Config
import Dataplane
import Testing

@testable import Control

/// Requests, as they come out of the socket.
struct AdminDeskTests {
  private let dataplane: Dataplane
  private let place: Administration.Surroundings

  init() throws {
    dataplane = try Dataplane(connections: 1024, bothDirections: true, seed: 1)
    place = Administration.Surroundings(dataplane: dataplane, topology: Samples.network, nowNanoseconds: 1)
  }

  /// Output, errors, exit code.
  private func run(
    _ words: String, _ administration: inout Administration, input: String = "", rights: AdminRights = .change
  ) -> (output: String, errors: String, code: Int32?, effect: AdminDesk.Effect) {
    var request = AdminRequest()
    request.arguments = words.split(separator: " ").map(String.init)
    request.input = Array(input.utf8)
    let (answer, effect) = AdminDesk().answer(to: request, rights: rights, &administration, in: place)
    var bytes = answer.bytes
    while let more = answer.rest?() { bytes += more }
    let parts = AdminDeskTests.parts(bytes)
    return (parts.output, parts.errors, parts.code, effect)
  }

  /// An answer taken apart.
  static func parts(_ bytes: [UInt8]) -> (output: String, errors: String, code: Int32?) {
    var result: (output: String, errors: String, code: Int32?) = ("", "", nil)
    var rest = bytes[...]
    while let header = try? AdminFrame(header: rest.prefix(8)) {
      let body = rest.dropFirst(8).prefix(header.byteCount)
      rest = rest.dropFirst(8 + header.byteCount)
      if header.kind == .output { result.output += String(decoding: body, as: UTF8.self) }
      if header.kind == .error { result.errors += String(decoding: body, as: UTF8.self) }
      if header.kind == .exit { result.code = AdminFrame.exitCode(body) }
    }
    return result
  }

  private func saved(_ administration: Administration) -> String { administration.listing(in: place).saved() }

  private static let some = "-A -t 10.1.0.100:80 -s rr\n-a -t 10.1.0.100:80 -r 10.2.0.11:80 -g -w 1\n"

  @Test func aCommandIsCarriedOutOrRefused() {
    var administration = Administration()
    #expect(run("-A -t 10.1.0.100:80 -s rr", &administration) == ("", "", 0, .rules))
    #expect(run("-A -t 10.1.0.100:80 -s rr", &administration) == ("", "Service already exists\n", 255, .none))
    #expect(run("-Sn", &administration) == ("-A -t 10.1.0.100:80 -s rr\n", "", 0, .none))
    #expect(run("-Z", &administration).effect == .record)
    #expect(run("--set 5 6 7", &administration).effect == .rules)
    #expect(run("-L --timeout", &administration).output == "Timeout (tcp tcpfin udp): 5 6 7\n")
  }

  @Test(
    arguments: [
      ("", "", 0), ("\n\nipvsadm\n", "", 0), (some, "", 0), ("-A\n" + some, "You need to supply", 2),
      (some + "# comment\n", "Try `ipvsadm -h'", 255), (some + "-C extra\n-C\n", "unexpected argument extra", 2),
      (some + "-A -t 10.1.0.100:80\n", "Service already exists", 255),
      (some + "-A -t 10.1.0.100:80\n-C\n", "Service already exists", 0), (some + "-R\n", "-R within -R", 2),
      (some + "-L -n -t 10.1.0.5:80\n", "No such service", 1),
    ] as [(String, String, Int32)])
  func batchesGoOnOrEnd(input: String, error: String, code: Int32) {
    var administration = Administration()
    let result = run("-R", &administration, input: input)
    #expect(result.code == code && result.errors.hasPrefix(error), "\(result)")
    let isThere = input.hasPrefix(AdminDeskTests.some) && !input.hasSuffix("\n-C\n") || input.contains("extra")
    #expect(saved(administration) == (isThere ? AdminDeskTests.some : ""))
  }

  @Test(
    arguments: [
      (some, "", 0),
      (some + "-A -t 10.1.0.100:80\n-C\n", "command 3: Service already exists\nnothing was changed\n", 255),
      (
        some + "-A\n",
        "command 3: You need to supply the 'service-address' option for the 'add-service' command\n"
          + "nothing was changed\n", 2
      ),
    ] as [(String, String, Int32)])
  func atomicBatchesAreAllOrNothing(input: String, errors: String, code: Int32) {
    var administration = Administration()
    _ = run("-A -u 10.1.0.100:53 -s rr", &administration)
    let before = saved(administration)
    let result = run("-R --atomic", &administration, input: "-D -u 10.1.0.100:53\n" + input)
    let shifted = errors.replacing("command 3", with: "command 4")
    #expect(result == ("", shifted, code, code == 0 ? .rules : .none))
    #expect(saved(administration) == (code == 0 ? AdminDeskTests.some : before))
  }

  @Test func batchesSayWhatTheirCommandsSay() {
    var administration = Administration()
    let result = run("-R", &administration, input: AdminDeskTests.some + "-S -n\n--version\n")
    #expect(result.output == AdminDeskTests.some + IpvsadmUsage.version && result.code == 0)
  }

  @Test(arguments: ["-L -n", "-Lnc", "-S", "-G", "-h", "-v", "-L --json", "-L --daemon"])
  func questionsAreForReaders(words: String) {
    var administration = Administration()
    #expect(run(words, &administration, rights: .ask).code == 0)
    #expect(run(words, &administration, rights: .none).code == 255)
  }

  @Test(arguments: [
    "-C", "-Z", "-R", "-A -t 10.1.0.100:80", "--set 1 1 1", "--start-daemon master", "-P -z 10.2.0.9 -f 1",
  ])
  func changesAreNot(words: String) {
    var administration = Administration()
    for rights in [AdminRights.ask, .none] {
      let result = run(words, &administration, input: AdminDeskTests.some, rights: rights)
      #expect(result.code == 255 && result.errors.hasPrefix("Permission denied") && result.effect == .none)
    }
    #expect(saved(administration) == "" && administration.timeouts == ConnectionTimeouts())
  }

  @Test func thousandsOfLinesAreOneBatch() {
    var text = ""
    for service in 0..<100 {
      text += "-A -t 10.9.0.\(service):80 -s wrr\n"
      for server in 1...99 {
        text += "-a -t 10.9.0.\(service):80 -r 10.8.\(service).\(server):80 -g -w \(server) -x 9 -y 3\n"
      }
    }
    var administration = Administration()
    #expect(run("-R", &administration, input: text) == ("", "", 0, .rules))
    #expect(saved(administration).split(separator: "\n").count == 10_000)
    #expect(administration.services.servers.count == 9900)
    var again = Administration()
    #expect(run("-R --atomic", &again, input: saved(administration)).code == 0)
    #expect(saved(again) == saved(administration))
  }

  @Test func localAddressesComeAndGo() {
    var administration = Administration()
    _ = run("-A -t 10.1.0.100:80 -s rr", &administration)
    #expect(run("-P -z 10.2.0.9 -t 10.1.0.100:80 -F eth1", &administration).code == 0)
    #expect(run("-P -z 10.2.0.9 -t 10.1.0.100:80", &administration).errors == "Local address already exists\n")
    #expect(run("-P -z 10.2.0.8 -t 10.1.0.100:80 -F eth7", &administration).errors == "No such device\n")
    // For servers of the other family.
    #expect(run("-P -z fd00::9 -t 10.1.0.100:80", &administration).code == 0)
    #expect(run("-Q -z fd00::9 -t 10.1.0.100:80", &administration).code == 0)
    #expect(run("-P -z 10.2.0.9 -t 10.1.0.77:80", &administration).errors == "Service not defined\n")
    _ = run("-a -t 10.1.0.100:80 -r 10.2.0.11:8080 -b", &administration)
    let text = """
      -A -t 10.1.0.100:80 -s rr
      --add-laddr -t 10.1.0.100:80 -z 10.2.0.9
      -a -t 10.1.0.100:80 -r 10.2.0.11:8080 -b -w 1

      """
    #expect(saved(administration) == text)
    var again = Administration()
    #expect(run("-R", &again, input: text).code == 0)
    #expect(saved(again) == text)
    #expect(
      run("-G -t 10.1.0.100:80", &again).output.hasSuffix(
        "10.1.0.100:80        1\n\(String(repeating: " ", count: 30))10.2.0.9\n"))
    #expect(run("-Q -z 10.2.0.9 -t 10.1.0.100:80", &administration).code == 0)
    #expect(run("-Q -z 10.2.0.9 -t 10.1.0.100:80", &administration).errors == "No such local address\n")
  }
}
