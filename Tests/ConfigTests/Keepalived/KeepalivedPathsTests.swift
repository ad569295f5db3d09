import Testing

@testable import Config

struct KeepalivedPathsTests {
  /// As keepalived 2.2.7 names them.
  @Test func names() {
    let plain = KeepalivedPaths()
    #expect(plain.parentPid == "/run/keepalived.pid" && plain.vrrpPid == "/run/vrrp.pid")
    #expect(plain.checkersPid == "/run/checkers.pid" && plain.socket == AdminRequest.defaultSocketPath)
    let folder = KeepalivedPaths(usesFolder: true)
    #expect(folder.parentPid == "/run/keepalived/keepalived.pid" && folder.vrrpPid == "/run/keepalived/vrrp.pid")
    let instance = KeepalivedPaths(instance: "III")
    #expect(instance.parentPid == "/run/keepalived/keepalived_III.pid")
    #expect(instance.vrrpPid == "/run/keepalived/vrrp_III.pid" && instance.socket == "/run/keepalived/lbd_III.sock")
    let namespace = KeepalivedPaths(namespace: "blue")
    #expect(namespace.parentPid == "/run/keepalived/keepalived_blue/keepalived.pid")
    #expect(namespace.folder == "/run/keepalived/keepalived_blue")
  }
}
