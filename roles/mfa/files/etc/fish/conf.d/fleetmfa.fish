#
# Ansible managed
#
# Offers enrollment in the login shell of an SSH session.
if status is-login; and status is-interactive; and set -q SSH_TTY; and test (/usr/bin/tty) = "$SSH_TTY"; and test -x /usr/local/bin/mfa-enroll
    /usr/local/bin/mfa-enroll login; or true
end
