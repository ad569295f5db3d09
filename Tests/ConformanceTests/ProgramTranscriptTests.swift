import Foundation
import Testing
import Wire

/// Recorded sessions, typed into a shell: the real ipvsadm against a running lbd.
@Suite(.serialized, .enabled(if: ProgramSession.obstacle == nil, "\(ProgramSession.obstacle ?? "")"))
struct ProgramTranscriptTests {
  @Test(arguments: ["errors", "listings", "save-restore"])
  func answersAreThoseOfIpvsadm(name: String) throws {
    let session = try ProgramSession.recorded()
    var compared = 0
    for step in try Transcript(name).steps {
      guard case .command(let command) = step else {
        if case .comment(let text) = step { try pass(text, session) }
        continue
      }
      let line = command.line
      if TranscriptDifferences.isLeftOut(line) { continue }
      // What the recorded session had in `/tmp` is in this one's folder.
      let answer = try session.answer(line.replacingOccurrences(of: " /tmp/", with: " "))
      if TranscriptDifferences.afterNegativeMark.contains(line) {
        _ = try session.answer("ipvsadm -C")
        continue
      }
      compared += 1
      #expect(
        TranscriptDifferences.comparable(answer, to: line, in: name)
          == TranscriptDifferences.comparable(command.answer, to: line, in: name), "\(line)")
    }
    #expect(compared >= 20)
  }

  private func pass(_ text: String, _ session: ProgramSession) throws {
    if text.hasPrefix("sleep ") { _ = try session.answer("\(text)") }
    if text.hasPrefix("traffic") { try session.send(TranscriptTraffic.frames(to: EthernetAddress(0x02_0000_0001_01))) }
  }

  /// One snapshot, whatever the number of lines.
  @Test func tenThousandLinesAreRestored() throws {
    let session = try ProgramSession.recorded()
    let lines = """
      for s in $(seq 100); do echo "-A -t 10.9.0.$s:80 -s wrr"; for r in $(seq 99); do \
      echo "-a -t 10.9.0.$s:80 -r 10.8.$s.$r:80 -g -w $r"; done; done > rules
      """
    _ = try session.answer(lines)
    for option in ["", " --atomic"] {
      #expect(try session.answer("ipvsadm -R\(option) < rules") == Transcript.Answer())
      #expect(try session.answer("ipvsadm -S -n | wc -l").output == "10000\n")
      #expect(try session.answer("ipvsadm -C") == Transcript.Answer())
    }
  }

  /// Rules, in the order in which they were made, and timeouts.
  @Test func rulesOutliveTheDirector() throws {
    let session = try ProgramSession.recorded()
    try session.stopDirector()
    try session.startDirector("--state rules")
    try session.type(
      """
      ipvsadm -A -t 10.1.0.100:80 -s rr
      ipvsadm -a -t 10.1.0.100:80 -r 10.2.0.12 -m -w 3 -x 9 -y 5
      ipvsadm -a -t 10.1.0.100:80 -r 10.2.0.11 -i --tun-type gue --tun-port 6080
      ipvsadm --set 100 0 0
      """)
    let before = try session.answer("ipvsadm -Ln --nosort --tun-info; ipvsadm -Ln --thresholds; ipvsadm -L --timeout")
    try session.stopDirector()
    try session.startDirector("--state rules")
    let after = try session.answer("ipvsadm -Ln --nosort --tun-info; ipvsadm -Ln --thresholds; ipvsadm -L --timeout")
    #expect(after == before && after.output.contains("gue:6080") && after.output.contains("100 120 300"))
    // Killed: what was answered a while before is in the file.
    try session.type("ipvsadm -D -t 10.1.0.100:80; sleep 2.5; kill -KILL $(jobs -p); wait; true")
    try session.startDirector("--state rules")
    #expect(try session.answer("ipvsadm -Sn").output == "")
  }

  @Test func namesAreLookedUpWhereTheyAreTyped() throws {
    let session = try ProgramSession.recorded()
    _ = try session.answer("printf 'http 80/tcp\\ndomain 53/udp\\n' > services; mount --bind services /etc/services")
    _ = try session.answer("printf '127.0.0.1 localhost\\n10.1.0.100 www\\n' > hosts; mount --bind hosts /etc/hosts")
    #expect(try session.answer("ipvsadm -A -t www:http -s rr") == Transcript.Answer())
    #expect(try session.answer("ipvsadm -a -t www:80 -r www:http -m") == Transcript.Answer())
    #expect(try session.answer("echo '-A -u www:domain' | ipvsadm -R") == Transcript.Answer())
    #expect(try session.answer("ipvsadm -Sn").output.hasPrefix("-A -t 10.1.0.100:80 -s rr\n-a -t 10.1.0.100:80 -r"))
    #expect(
      try session.answer("ipvsadm -L").output.contains("\nTCP  www:http rr\n  -> www:http                     Masq "))
    #expect(try session.answer("ipvsadm -L --stats").output.contains("\nUDP  www:domain                          0 "))
    #expect(try session.answer("ipvsadm -Ln").output.contains("\nUDP  10.1.0.100:53 wlc\n"))
  }

  @Test func groupsMayAskOrChange() throws {
    let session = try ProgramSession.recorded()
    try session.stopDirector()
    try session.type("printf 'root:x:0:\\nlbd:x:5000:\\nlbd-read:x:5001:\\n' > group; mount --bind group /etc/group")
    try session.startDirector()
    #expect(try session.answer("stat -c '%a %G' $LBD_SOCKET").output == "660 lbd\n")
    // A copy: where the tests were built, others may have no business.
    try session.type("cp -L bin/ipvsadm client; chmod 755 . client")
    func run(_ groups: String, _ words: String) throws -> Transcript.Answer {
      try session.answer("setpriv --reuid 65534 --regid 65534 \(groups) ./client \(words)")
    }
    #expect(try run("--groups 5001", "-Sn") == Transcript.Answer())
    let refused = try run("--groups 5001", "-C")
    #expect(refused.exitCode == 255 && refused.errors.hasPrefix("Permission denied (root and group lbd may change"))
    #expect(try run("--groups 5000", "-A -t 10.1.0.100:80 -s rr") == Transcript.Answer())
    let stranger = try run("--clear-groups", "-Sn")
    #expect(stranger.exitCode == 2 && stranger.errors.contains("Permission denied"))
  }

  @Test func withoutLbdItSaysSo() throws {
    let session = try ProgramSession.recorded()
    let answer = try session.answer("LBD_SOCKET=nowhere ipvsadm -h")
    #expect(answer.exitCode == 2 && answer.errors.hasPrefix("ipvsadm: cannot reach lbd at nowhere: No such file"))
  }
}
