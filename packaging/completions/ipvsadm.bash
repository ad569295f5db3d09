# bash completion for ipvsadm: commands first, then what goes with them.

_ipvsadm() {
  local cur prev first words
  cur=${COMP_WORDS[COMP_CWORD]}
  prev=${COMP_WORDS[COMP_CWORD - 1]}
  first=${COMP_WORDS[1]}
  case $prev in
  -s | --scheduler) words='rr wrr lc wlc sed nq sh dh lblc lblcr fo ovf mh twos' ;;
  --pe) words=sip ;;
  --sched-flags) words='sh-fallback sh-port mh-fallback mh-port flag-1 flag-2 flag-3' ;;
  --tun-type) words='ipip gue gre' ;;
  --start-daemon | --stop-daemon) words='master backup' ;;
  --mcast-interface | -F | --ifname) words=$(ls /sys/class/net) ;;
  -t | -u | --tcp-service | --udp-service | --sctp-service)
    words=$(ipvsadm -Ln 2>/dev/null | sed -n 's/^[TUS][CD][TP]P* *\([^ ]*\).*/\1/p') ;;
  esac
  if [[ -z $words ]]; then
    local service='-t -u -f --tcp-service --udp-service --sctp-service --fwmark-service --ipv6'
    case $first in
    -A | -E | --add-service | --edit-service)
      words="$service -s -p -M -o -b --scheduler --persistent --netmask --pe --ops --sched-flags" ;;
    -a | -e | --add-server | --edit-server)
      words="$service -r -g -i -m -b -w -x -y --real-server --gatewaying --ipip --masquerading --fullnat --weight
        --u-threshold --l-threshold --tun-type --tun-port --tun-nocsum --tun-csum --tun-remcsum" ;;
    -d | --delete-server) words="$service -r --real-server" ;;
    -D | -Z | --delete-service | --zero) words=$service ;;
    -L* | -l* | --list)
      words="$service -c -n --connection --timeout --daemon --stats --rate --exact --thresholds --persistent-conn
        --tun-info --nosort --numeric --health --json" ;;
    -S | --save) words='-n --numeric' ;;
    -R | --restore) words=--atomic ;;
    --start-daemon) words='--mcast-interface --mcast-group --mcast-port --mcast-ttl --syncid --sync-maxlen' ;;
    -P | -Q | --add-laddr | --del-laddr) words="$service -z -F --local-address --ifname" ;;
    -G | --get-laddr) words=$service ;;
    esac
  fi
  if ((COMP_CWORD == 1)); then
    words='-A -E -D -C -R -S -a -e -d -L -l -Z -h --add-service --edit-service --delete-service --clear --restore --save
      --add-server --edit-server --delete-server --list --zero --set --start-daemon --stop-daemon --add-laddr --del-laddr
      --get-laddr --help --version'
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _ipvsadm ipvsadm
