#!/bin/bash
# again.sh ADDRESS TOKEN: have Postfix deliver a message twice, as it does when the first answer was lost: its queue file is put back. Ends when
# Dovecot has put it off once, because it cannot be asked whether the message is there already.
set -eu
cd /var/spool/postfix
qmgr=$(pgrep -x qmgr)
trap 'kill -CONT "$qmgr"' EXIT
kill -STOP "$qmgr" # what arrives now waits in "incoming"
# ... with a mark that a sender made up, which is nobody's business but Postfix's
printf 'X-HA-Mail-Repeated: *\nSubject: %s\n\nagain\n' "$2" | sendmail -f "" "$1"
for _ in $(seq 50); do
    id=$(grep -rl "Subject: $2" incoming | head -n 1) && [ -n "$id" ] && [ -x "$id" ] && break # executable: complete
    sleep 0.1
done
cp -p "$id" /root/again
kill -CONT "$qmgr"
became() { timeout 20 sh -c "until journalctl --quiet -t postfix/lmtp --since=-1min | grep '${id##*/}' | grep -q '$1'; do sleep 0.2; done"; }
became status=sent
sleep 3 # a message that has just arrived cannot have been delivered before
cp -p /root/again "$id"
touch "$id"
rm /root/again
postqueue -f
became 'status=deferred.* 451 4.2.0 .*in reply to end of DATA'
basename "$id"
