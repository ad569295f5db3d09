# bash completion for lbd: commands first, then the options of each.

_lbd() {
  local cur prev words
  cur=${COMP_WORDS[COMP_CWORD]}
  prev=${COMP_WORDS[COMP_CWORD - 1]}
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W 'run check why top replay bench lab realserver help' -- "$cur")
    return
  fi
  case $prev in
  --interface) words=$(ls /sys/class/net) ;;
  --port) words='auto xdp packet' ;;
  --flags) words='syn ack syn,ack fin,ack rst none' ;;
  --sort) words='listed cps inpps outpps inbps outbps active inactive name' ;;
  --config | --capture | --topology | --socket | --state | --report | --output | --in)
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    return
    ;;
  esac
  if [[ -z $words ]]; then
    case ${COMP_WORDS[1]} in
    run) words='--config --port --interface --workers --report --socket --state' ;;
    check) words='--config' ;;
    why) words='tcp udp sctp --capture --count --interface --worker --flags --ttl --size --json --socket --config --topology' ;;
    top) words='--delay --batch --once --count --sort --filter --socket' ;;
    replay) words='--config --topology --in --output --connections --seed' ;;
    bench) words='replay capture' ;;
    lab) words='demo up down test' ;;
    realserver) words='setup show undo' ;;
    esac
    words+=' --help'
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _lbd lbd
