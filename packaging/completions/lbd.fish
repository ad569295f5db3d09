# fish completion for lbd.
set -l commands run check why top replay bench lab realserver help
complete -c lbd -n "not __fish_seen_subcommand_from $commands" -f
complete -c lbd -n "not __fish_seen_subcommand_from $commands" -a run -d 'Run the director'
complete -c lbd -n "not __fish_seen_subcommand_from $commands" -a check -d 'Read a configuration and say what is wrong'
complete -c lbd -n "not __fish_seen_subcommand_from $commands" -a why -d 'Say what becomes of a packet'
complete -c lbd -n "not __fish_seen_subcommand_from $commands" -a top -d 'Watch a running lbd'
complete -c lbd -n "not __fish_seen_subcommand_from $commands" -a replay -d 'Captures through the director'
complete -c lbd -n "not __fish_seen_subcommand_from $commands" -a bench -d 'How fast a capture goes'
complete -c lbd -n "not __fish_seen_subcommand_from $commands" -a lab -d 'A network of namespaces'
complete -c lbd -n "not __fish_seen_subcommand_from $commands" -a realserver -d 'Prepare a real server'
complete -c lbd -n '__fish_seen_subcommand_from run check why' -l config -rF -d 'Configuration'
complete -c lbd -n '__fish_seen_subcommand_from run' -l port -xa 'auto xdp packet'
complete -c lbd -n '__fish_seen_subcommand_from run why' -l interface -xa '(command ls /sys/class/net)'
complete -c lbd -n '__fish_seen_subcommand_from run' -l workers -x
complete -c lbd -n '__fish_seen_subcommand_from run' -l report -rF
complete -c lbd -n '__fish_seen_subcommand_from run' -l state -rF
complete -c lbd -n '__fish_seen_subcommand_from run why top' -l socket -rF -d 'Socket of lbd'
complete -c lbd -n '__fish_seen_subcommand_from why' -fa 'tcp udp sctp'
complete -c lbd -n '__fish_seen_subcommand_from why' -l capture -rF -d 'Packets of a capture'
complete -c lbd -n '__fish_seen_subcommand_from why' -l topology -rF -d 'Network'
complete -c lbd -n '__fish_seen_subcommand_from why' -l flags -xa 'syn ack syn,ack fin,ack rst none'
complete -c lbd -n '__fish_seen_subcommand_from why' -l ttl -x
complete -c lbd -n '__fish_seen_subcommand_from why' -l size -x
complete -c lbd -n '__fish_seen_subcommand_from why' -l worker -x
complete -c lbd -n '__fish_seen_subcommand_from why' -l json -d 'For programs'
complete -c lbd -n '__fish_seen_subcommand_from why top' -l count -x
complete -c lbd -n '__fish_seen_subcommand_from top' -l delay -x -d 'Seconds between two looks'
complete -c lbd -n '__fish_seen_subcommand_from top' -l batch -d 'Lines for scripts'
complete -c lbd -n '__fish_seen_subcommand_from top' -l once -d 'Print once'
complete -c lbd -n '__fish_seen_subcommand_from top' -l sort -xa 'listed cps inpps outpps inbps outbps active inactive name'
complete -c lbd -n '__fish_seen_subcommand_from top' -l filter -x
