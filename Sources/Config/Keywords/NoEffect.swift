/// Why a keyword that keepalived acts on has no effect in lbd. Each completes "… has no effect in lbd, because".
///
/// The first few are of engines that are still to come: the values are read, checked and kept in the model.
enum NoEffect: String, Sendable, CaseIterable {
  case otherHosts = "a host is asked at its own address"
  case noPort = "an echo has no port, and so is of no virtual service"
  case sessions = "it has no BFD sessions yet: the server counts as up"
  case vrrp = "it does not run VRRP yet"
  case synchronisation = "it does not synchronise connections yet"
  case staticNetwork = "it sets no addresses, routes or rules yet"

  case oneProcess = "it is one process, whose workers have a core each and are never swapped out"
  case noKernelTable = "its services are its own, not the kernel's: they begin and end with it"
  case noFirewall = "it needs no firewall rules: it sees packets before they do"
  case noSNMP = "it has no SNMP; see the listings of ipvsadm and the report"
  case noDBus = "it has no D-Bus interface"
  case ownBuffers = "it chooses the sizes of its buffers itself"
  case ownFiles = "it keeps no copy of its configuration on disk"
  case checkedReload = "a reload always checks first, and is asked for by a signal"
  case serviceManager = "the service manager says so: see packaging/lbd.service"
  case ofKeepalived = "only lbd keepalived goes by it: lbd run is told by the service manager"
  case ownNamespace = "it runs in the namespace it is started in, with ip netns exec or NetworkNamespacePath="
  case carrier = "links are followed by netlink, not asked for"
  case flagOfKernel = "no scheduler looks at it"
  case snmpName = "it has no SNMP, which the name is for"
}
