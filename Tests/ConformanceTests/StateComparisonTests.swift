import Foundation
import Testing

/// What counts in a listing and what does not.
struct StateComparisonTests {
  static let text = """
    $ ipvsadm -A -t 10.1.0.100:80 -s rr
    ## final
    # ipvsadm -Ln
    TCP  10.1.0.100:80 rr
      -> 10.2.0.11:80                 Route   1      1          0         
    # ipvsadm -Lnc | sort
    IPVS connection entries
    pro expire state       source             virtual            destination
    TCP 00:59  SYN_RECV    172.16.1.1:40001   10.1.0.100:80      10.2.0.11:80
    TCP 01:59  FIN_WAIT    172.16.1.1:40000   10.1.0.100:80      10.2.0.12:80
    """

  /// What is replaced by what, and how many listings then differ.
  static let rows: [(name: String, from: String, to: String, count: Int)] = [
    ("itself", "", "", 0),
    ("expiry", "01:59", "01:58", 0),
    ("state", "FIN_WAIT ", "CLOSE    ", 1),
    ("count of connections", "Route   1      1 ", "Route   1      2 ", 1),
    ("column", "Route   1 ", "Route  1 ", 1),
    ("server", "10.2.0.12:80", "10.2.0.13:80", 1),
  ]

  @Test(arguments: rows.indices) func differenceIsSeen(row: Int) {
    let (name, from, to, count) = StateComparisonTests.rows[row]
    let parts = from.isEmpty ? [StateComparisonTests.text] : StateComparisonTests.text.components(separatedBy: from)
    let have = StateListing.parse(parts.joined(separator: to))
    let want = StateListing.parse(StateComparisonTests.text)
    #expect(StateListing.differences(want: want, have: have).count == count, "\(name)")
  }

  @Test func connectionsStandInNoOrder() {
    let lines = StateComparisonTests.text.split(separator: "\n").map(String.init)
    let swapped = lines.dropLast(2) + [lines[lines.count - 1], lines[lines.count - 2]]
    let have = StateListing.parse(swapped.joined(separator: "\n"))
    #expect(StateListing.differences(want: StateListing.parse(StateComparisonTests.text), have: have).isEmpty)
  }

  @Test func listingLeftOutIsSeen() {
    let want = StateListing.parse(StateComparisonTests.text)
    #expect(StateListing.differences(want: want, have: Array(want.dropLast())).count == 1)
  }
}
