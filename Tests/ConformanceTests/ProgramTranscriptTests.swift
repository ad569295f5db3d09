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

  @Test func withoutLbdItSaysSo() throws {
    let session = try ProgramSession.recorded()
    let answer = try session.answer("LBD_SOCKET=nowhere ipvsadm -h")
    #expect(answer.exitCode == 2 && answer.errors.hasPrefix("ipvsadm: cannot reach lbd at nowhere: No such file"))
  }
}
