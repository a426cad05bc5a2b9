#
# Ansible managed
#
# shellcheck shell=sh
# Offers enrollment in the login shell of an SSH session, but not for commands or in shells started inside the session.
case $- in
    *i*)
        if [ -n "${SSH_TTY-}" ] && [ "$(/usr/bin/tty)" = "$SSH_TTY" ] && [ -x /usr/local/bin/mfa-enroll ]; then
            /usr/local/bin/mfa-enroll login || :
        fi
        ;;
esac
