import Config
import Testing

/// Commands as lines.
struct IpvsadmTextTests {
  static let lines = [
    "-A -t 10.0.0.1:80 -s wlc", "-E -u [fd00::1]:53 -s rr -p 360 -M 64 -o",
    "-A -t 10.0.0.1:80 -s sh -p 50 -M 255.255.255.0 -b sh-fallback,sh-port", "-A -u 10.0.0.1:5060 -s mh -p 9 --pe sip",
    "-A -f 7 -s wrr -b flag-1,flag-3", "-D -f 4294967295 -6", "-D --sctp-service 10.0.0.1:9",
    "-a -t 10.0.0.1:80 -r 10.0.0.2:80 -g -w 3 -x 20 -y 10", "-e -t 10.0.0.1:80 -r 10.0.0.2:8080 -m -w 0",
    "-a -t 10.0.0.1:80 -r 10.0.0.2:80 -b -w 1", "-a -t 10.0.0.1:80 -r 10.0.0.2:80 -i -w 1 --tun-type ipip",
    "-a -t 10.0.0.1:80 -r 10.0.0.2:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-remcsum",
    "-a -t 10.0.0.1:80 -r 10.0.0.2:80 -i -w 1 --tun-type gre --tun-csum", "-d -t 10.0.0.1:80 -r 10.0.0.2:80",
    "--add-laddr -t 10.0.0.1:80 -z 10.0.0.9", "--del-laddr -t 10.0.0.1:80 -z 10.0.0.9", "--set 900 120 0", "-C",
  ]

  @Test(arguments: lines) func aLineIsWrittenAsItIsRead(line: String) throws {
    let command = try IpvsadmCommand.parse(line.split(separator: " ").map(String.init)).get()
    #expect(command.line == line)
  }

  @Test(arguments: ["-Ln", "-Sn", "-R", "-Z", "-v", "--stop-daemon master"])
  func whatChangesNoRulesHasNone(line: String) throws {
    #expect(try IpvsadmCommand.parse(line.split(separator: " ").map(String.init)).get().line == nil)
  }
}
