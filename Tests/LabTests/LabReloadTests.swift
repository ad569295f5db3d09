import Testing
import Wire

@testable import Lab

/// The files that a director is given one after the other.
@Suite struct LabReloadTests {
  @Test(arguments: LabReload.Kind.allCases, [IPAddress.Family.ipv4, .ipv6])
  func theUsedServiceIsNotTouched(kind: LabReload.Kind, family: IPAddress.Family) {
    let plan = LabPlan(mode: .nat)
    let text = LabReload.text(kind, 3, plan, family)
    let services = text.split(separator: "\n").filter { $0.hasPrefix("virtual_server ") }
    #expect(services.count == (kind == .servicesDeleted || kind == .addressMissing ? 4 : 20))
    #expect(services.allSatisfy { $0.hasPrefix("virtual_server \(LabPlan.vip(family)) 90") })
    #expect(text.split(separator: "{").count == text.split(separator: "}").count)
    #expect(text.contains("wrrr") == (kind == .unknownScheduler))
    #expect(text.contains("nowhere") == (kind == .addressMissing))
  }

  /// FULLNAT without local addresses is refused.
  @Test(arguments: [LabMode.nat, .fullnat]) func localAddressesWhereTheyAreNeeded(mode: LabMode) {
    let plan = LabPlan(mode: mode)
    let text = LabReload.text(.servicesAdded, 0, plan, .ipv6)
    let count = text.split(separator: "\n").count { $0 == "  laddr_group_name local_v6" }
    #expect(count == (mode == .fullnat ? 20 : 0))
    #expect(LabConfiguration(plan: plan).director.contains("local_v6") == (mode == .fullnat))
  }

  @Test func eachFileDiffersFromTheOneBefore() {
    let plan = LabPlan(mode: .dr)
    let texts = (0..<14).map { LabReload.text(LabReload.Kind.allCases[$0 % 7], $0, plan, .ipv4) }
    #expect(zip(texts, texts.dropFirst()).allSatisfy { $0 != $1 })
  }
}
