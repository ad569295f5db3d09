// What `keepalived -v` and `-h` print. The version is the one whose options, files and phrases are reproduced: scripts look at
// it, and take the second word of the first line for it.

/// Texts of keepalived about itself.
public enum KeepalivedUsage {
  /// As it is named in the log.
  public static let version = "Keepalived v2.2.7 (lbd)"

  /// Several lines.
  public static let versionText =
    version + """


      This is lbd in keepalived's place: its command line, files, signals and phrases are those of keepalived 2.2.7.
      Virtual servers are balanced in this process, without ip_vs. This version runs no VRRP:
      docs/keepalived.md says what becomes of them.

      """

  /// A line or two for every option.
  public static let text = """
    Usage: keepalived [OPTION...]
      -f, --use-file=FILE          Read this configuration
                                    default '/etc/keepalived/keepalived.conf'
      -t, --config-test[=FILE]     Check the configuration and end; findings to FILE or standard error
      -i, --config-id=ID           What lines behind '@' are for, by default the name of the machine
      -e, --all-config             Every file that is included must be there
      -d, --dump-conf              Log the configuration that is in force
      -n, --dont-fork              Stay in the foreground
      -P, --vrrp                   VRRP only; this version does not run it, so nothing is done
      -C, --check                  Virtual servers only
      -l, --log-console            Log to standard error
      -D, --log-detail             Log more
      -S, --log-facility=([0-7]|local[0-7]|user|daemon)
                                   syslog's facility, by default daemon
      -g, --log-file=FILE          Log to a file as well
      -G, --no-syslog              Do not log to syslog
      -p, --pid=FILE               The number of the process, by default /run/keepalived.pid
      -r, --vrrp_pid=FILE          The same again while there are instances of VRRP
      -c, --checkers_pid=FILE      The same again while there are virtual servers
      -s, --namespace=NAME         Run in the network namespace NAME
      -u, --umask=MASK             Permissions that new files do not get
      -m, --core-dump              Leave a core file when something goes wrong
          --signum=SIGFUNC         Print the number of a signal:
                                    STOP, RELOAD, DATA, STATS, STATS_CLEAR, JSON
      -T, --genhash …              Print the digest of a page, with genhash's options
      -v, --version                Print the version
      -h, --help                   Print this
    Taken, and without effect; the log says why when one is given:
      -B, --no_bfd  -b, --bfd_pid=FILE  --all  -V, --dont-release-vrrp  -X, --release-vips
      -I, --dont-release-ipvs  -R, --dont-respawn  -a, --address-monitoring  -x, --snmp
      -A, --snmp-agent-socket=FILE  -M, --core-dump-pattern[=PATTERN] (as -m)  --flush-log-file
      --perf[=…]  --debug[=…]  --no-mem-check

    """
}
