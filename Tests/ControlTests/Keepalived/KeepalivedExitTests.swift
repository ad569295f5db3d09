import Glibc
import Kernel
import Testing

@testable import Control

struct KeepalivedExitTests {
  @Test(
    arguments: [(EPERM, 4), (EACCES, 4), (ENOMEM, 204), (ENODEV, 1), (EADDRINUSE, 1)] as [(Int32, Int32)])
  func systemErrors(_ row: (number: Int32, code: Int32)) {
    #expect(KeepalivedExit(SystemError("do it", errno: row.number)).rawValue == row.code)
  }

  @Test func otherErrors() {
    #expect(KeepalivedExit(ConfigurationRefused(path: "x", errorCount: 1)).rawValue == 2)
    #expect(KeepalivedExit(CancellationError()).rawValue == 1)
  }
}
