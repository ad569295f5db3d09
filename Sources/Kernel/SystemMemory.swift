import CShims
import Glibc

/// The machine's memory.
public enum SystemMemory {
  /// Pages that are free or in buffers: what IPVS compares with `amemthresh`. Nil when the kernel does not say
  /// (sysinfo(2)).
  public static func availablePages() -> UInt64? {
    let byteCount = lbd_memory_available()
    return byteCount == 0 ? nil : byteCount / UInt64(max(1, sysconf(Int32(_SC_PAGESIZE))))
  }
}
