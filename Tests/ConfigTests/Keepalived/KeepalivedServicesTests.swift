import Testing

@testable import Config

struct KeepalivedServicesTests {
  @Test func services() {
    let services = read(
      """
      virtual_server 192.0.2.80 80 {
          lb_algo wrr
          lb_kind NAT
          protocol TCP
          persistence_timeout 50
          quorum 2
          sorry_server 192.0.2.9 80
          real_server 192.0.2.11 8080 {
              weight 3
              uthreshold 100
              lthreshold 50
          }
      }
      virtual_server fwmark 7 {
          lb_algo rr
          lb_kind DR
          real_server 192.0.2.12 0 {
              weight 1
              lvs_method TUN
          }
      }
      """
    ).configuration.services
    #expect(
      KeepalivedServices.data(services) == """
        ------< LVS Topology >------
         ------< Virtual server >------
           VIP = 192.0.2.80, VPORT = 80
           lvs_sched = wrr
           persistence timeout = 50
           protocol = TCP
           One packet scheduling = disabled
           quorum = 2, hysteresis = 0
           sorry server = 192.0.2.9:80
           lb_kind = NAT
           ------< Real server >------
           RIP = 192.0.2.11, RPORT = 8080, WEIGHT = 3 EFF WEIGHT = 3
             connection limit range = 50 -> 100
         ------< Virtual server >------
           VS FWMARK = 7
           Address family = inet
           lvs_sched = rr
           protocol = none
           One packet scheduling = disabled
           quorum = 1, hysteresis = 0
           lb_kind = DR
           ------< Real server >------
           RIP = 192.0.2.12, RPORT = 0, WEIGHT = 1 EFF WEIGHT = 1
             lb_kind = TUN

        """)
  }
}
