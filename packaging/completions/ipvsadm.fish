# fish completion for ipvsadm.
set -l schedulers rr wrr lc wlc sed nq sh dh lblc lblcr fo ovf mh twos
complete -c ipvsadm -f
complete -c ipvsadm -s A -l add-service -d 'Add a service'
complete -c ipvsadm -s E -l edit-service -d 'Replace a service'
complete -c ipvsadm -s D -l delete-service -d 'Remove a service'
complete -c ipvsadm -s C -l clear -d 'Remove all services'
complete -c ipvsadm -s a -l add-server -d 'Add a real server'
complete -c ipvsadm -s e -l edit-server -d 'Replace a real server'
complete -c ipvsadm -s d -l delete-server -d 'Remove a real server'
complete -c ipvsadm -s L -l list -d 'List'
complete -c ipvsadm -s S -l save -d 'Print the rules'
complete -c ipvsadm -s R -l restore -d 'Read rules'
complete -c ipvsadm -l atomic -d 'All of them or none'
complete -c ipvsadm -s Z -l zero -d 'Counters to zero'
complete -c ipvsadm -l set -d 'Timeouts: tcp tcpfin udp'
complete -c ipvsadm -l start-daemon -l stop-daemon -xa 'master backup'
complete -c ipvsadm -s P -l add-laddr -d 'Add a local address'
complete -c ipvsadm -s Q -l del-laddr -d 'Remove a local address'
complete -c ipvsadm -s G -l get-laddr -d 'List local addresses'
complete -c ipvsadm -s h -l help -d 'Help'
complete -c ipvsadm -l version -d 'Version'
complete -c ipvsadm -s t -l tcp-service -x -d 'TCP service, ADDRESS:PORT'
complete -c ipvsadm -s u -l udp-service -x -d 'UDP service, ADDRESS:PORT'
complete -c ipvsadm -l sctp-service -x -d 'SCTP service, ADDRESS:PORT'
complete -c ipvsadm -s f -l fwmark-service -x -d 'Service by mark'
complete -c ipvsadm -s 6 -l ipv6 -d 'Mark of IPv6'
complete -c ipvsadm -s s -l scheduler -xa "$schedulers" -d 'Scheduler'
complete -c ipvsadm -s p -l persistent -d 'Persistent'
complete -c ipvsadm -s M -l netmask -x -d 'Which clients are one'
complete -c ipvsadm -l pe -xa sip -d 'Persistence engine'
complete -c ipvsadm -s o -l ops -d 'One packet, one decision'
complete -c ipvsadm -l sched-flags -xa 'sh-fallback sh-port mh-fallback mh-port flag-1 flag-2 flag-3'
complete -c ipvsadm -s r -l real-server -x -d 'Real server, ADDRESS:PORT'
complete -c ipvsadm -s g -l gatewaying -d 'Direct routing'
complete -c ipvsadm -s i -l ipip -d 'Tunnelling'
complete -c ipvsadm -s m -l masquerading -d NAT
complete -c ipvsadm -l fullnat -d FULLNAT
complete -c ipvsadm -s w -l weight -x -d Weight
complete -c ipvsadm -s x -l u-threshold -x -d 'Upper threshold'
complete -c ipvsadm -s y -l l-threshold -x -d 'Lower threshold'
complete -c ipvsadm -l tun-type -xa 'ipip gue gre'
complete -c ipvsadm -l tun-port -x
complete -c ipvsadm -l tun-nocsum -l tun-csum -l tun-remcsum
complete -c ipvsadm -s c -l connection -d Connections
complete -c ipvsadm -l timeout -l daemon -l stats -l rate -l thresholds -l persistent-conn -l tun-info -l nosort -l health -l json
complete -c ipvsadm -s X -l exact -d 'Numbers in full'
complete -c ipvsadm -s n -l numeric -d 'No names'
complete -c ipvsadm -s z -l local-address -x -d 'Local address'
complete -c ipvsadm -s F -l ifname -l mcast-interface -xa '(command ls /sys/class/net)'
complete -c ipvsadm -l mcast-group -l mcast-port -l mcast-ttl -l syncid -l sync-maxlen -x
