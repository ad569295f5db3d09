// What `ipvsadm -h` and `ipvsadm --version` print. The version is the one whose behaviour is reproduced: scripts look at it.

/// Texts of ipvsadm about itself.
public enum IpvsadmUsage {
  /// One line.
  public static let version = "ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)\n"

  /// Every command and option, in a screen or two.
  public static let text =
    version + """
      ipvsadm speaks to a running lbd (its socket: LBD_SOCKET, else /run/lbd.sock).

      Services:      ipvsadm -A|-E SERVICE [-s SCHED] [-p [SECONDS]] [-M MASK] [--pe ENGINE] [-o] [-b FLAGS]
                     ipvsadm -D SERVICE
      Real servers:  ipvsadm -a|-e SERVICE -r HOST[:PORT] [-g|-i|-m|-b] [-w WEIGHT] [-x MAX] [-y MIN] [TUNNEL]
                     ipvsadm -d SERVICE -r HOST[:PORT]
      Everything:    ipvsadm -C                     remove all services
                     ipvsadm -S [-n] | -R           print the rules as commands, read them
                     ipvsadm -Z [SERVICE]           counters begin again at zero
                     ipvsadm --set TCP TCPFIN UDP   timeouts in seconds, 0 leaves one as it is
      Listings:      ipvsadm -L|-l [SERVICE | -c | --timeout | --daemon] [FORM] [-n] [--nosort]
      Synchronising: ipvsadm --start-daemon master|backup [--mcast-interface IF] [--syncid 0-255]
                       [--sync-maxlen BYTES] [--mcast-group ADDRESS] [--mcast-port PORT] [--mcast-ttl TTL]
                     ipvsadm --stop-daemon master|backup
      FULLNAT:       ipvsadm --add-laddr|--del-laddr -z ADDRESS SERVICE [-F IF]
                     ipvsadm --get-laddr [SERVICE]
      Help:          ipvsadm -h | --version

      SERVICE  -t, --tcp-service HOST[:PORT]      -u, --udp-service HOST[:PORT]
               --sctp-service HOST[:PORT]         -f, --fwmark-service MARK [-6, --ipv6]
               HOST is an address or a name, [..] around IPv6 with a port; without a port: every port, which needs -p
      SCHED    -s, --scheduler: rr wrr lc wlc (default) lblc lblcr dh sh sed nq fo ovf mh twos
      FLAGS    -b, --sched-flags: sh-fallback sh-port mh-fallback mh-port flag-1 flag-2 flag-3, comma-separated
      -p       --persistent: clients stay with their server, 360 seconds unless said otherwise
      -M       --netmask: clients that count as one, a mask for IPv4, a prefix length for IPv6
      --pe     persistence by what packets say: sip
      -o       --ops: every UDP packet is scheduled for itself
      METHOD   -g, --gatewaying (default)  -i, --ipip  -m, --masquerading  -b, --fullnat
      TUNNEL   --tun-type ipip|gue|gre, --tun-port PORT, --tun-nocsum | --tun-csum | --tun-remcsum
      -w       --weight, 1 by default; 0: no new connections
      -x, -y   --u-threshold: connections from which on a server takes no more; --l-threshold: below which it does again
      FORM     --stats [--exact]  --rate [--exact]  --thresholds  --persistent-conn  --tun-info
               --health: who is well, since when, and why not
               --json, of any listing
      -c       --connection; --timeout; --daemon: of these instead of services
      -n       --numeric: no names of hosts and ports
      -R       --restore [--atomic]: commands from standard input; with --atomic all of them or, at the first fault, none
      Long forms of the commands: --add-service --edit-service --delete-service --clear --save --restore --add-server
      --edit-server --delete-server --list --zero --help. --sort changes nothing.

      """
}
