#!/bin/sh
# Make this lab node one plain Postfix and Dovecot on local disk, with the accounts given as "address{TAB}password" on stdin:
# what the cluster is compared with. Certificates are those that the caller put into /etc/plain.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get -qq install -y --no-install-recommends postfix dovecot-imapd dovecot-lmtpd >/dev/null
id vmail >/dev/null 2>&1 || useradd --system --home /srv/mail --create-home vmail
: >/etc/plain/users
: >/etc/plain/mailboxes
while IFS="$(printf '\t')" read -r address password; do
    echo "$address:{PLAIN}$password" >>/etc/plain/users
    echo "$address ok" >>/etc/plain/mailboxes
done
cat >/etc/dovecot/dovecot.conf <<'C'
dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.1
protocols = imap lmtp
ssl_server_cert_file = /etc/plain/service.crt
ssl_server_key_file = /etc/plain/service.key
mail_driver = sdbox
mail_home = /srv/mail/%{user | domain}/%{user | username}
mail_path = ~/mail
mail_uid = vmail
mail_gid = vmail
mail_fsync = always
passdb passwd-file {
  passwd_file_path = /etc/plain/users
}
userdb static {
}
namespace inbox {
  inbox = yes
}
service lmtp {
  unix_listener lmtp-postfix {
    mode = 0660
    group = postfix
  }
}
C
postmap lmdb:/etc/plain/mailboxes 2>/dev/null || postmap hash:/etc/plain/mailboxes
type=$([ -e /etc/plain/mailboxes.lmdb ] && echo lmdb || echo hash)
cat >/etc/postfix/main.cf <<C
compatibility_level = 3.10
myhostname = plain.test
mydestination =
inet_interfaces = all
virtual_mailbox_domains = alpha.test beta.test
virtual_mailbox_maps = $type:/etc/plain/mailboxes
virtual_transport = lmtp:unix:/run/dovecot/lmtp-postfix
alias_maps =
C
postconf -F 'lmtp/unix/chroot=n'
systemctl restart dovecot postfix
