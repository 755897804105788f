#!/bin/sh
# sh kernel.sh NODE KERNEL CONNECTION_FILE: starts the kernel and waits for it. Where it dies, the process that a
# Jupyter server watches is still there, and says what happened before it ends too. A shell, because it costs 2 ms and
# 1 MB; a process of Node would cost 60 ms and 40 MB.
node=$1 kernel=$2 file=$3
asked= kept=

# what the kernel has shown and not sent is in these files, which stay as long as they are open here
keep() {
  for number in 0 1 2; do [ -r "/proc/$child/fd/20$number" ] || return; done
  exec 7<"/proc/$child/fd/200" 8<"/proc/$child/fd/201" 9<"/proc/$child/fd/202"
  kept=kept
}
trap keep USR1
# a signal to the whole group has reached the kernel as SIGINT already: one of two different ones is passed over
trap 'kill -URG "$child" 2>/dev/null' INT
trap 'asked=yes; kill -TERM "$child" 2>/dev/null' TERM
trap 'asked=yes; kill -HUP "$child" 2>/dev/null' HUP

"$node" "$kernel" "$file" --supervised <&0 &
child=$!
while :; do
  wait "$child" 2>/dev/null
  code=$?
  # a signal ends the wait, too
  kill -0 "$child" 2>/dev/null || break
done

# 2 is a mistake that the kernel has told itself
case "$asked$code" in yes* | 0 | 2) exit "$code" ;; esac
trap '' USR1 INT
trap - TERM HUP
exec "$node" "$kernel" --report-death "$code" $kept
