# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What is known of PAM services and of programs that listen: whether people log in with them. Private to the collection."""

from __future__ import annotations

from typing import NamedTuple


class KnownService(NamedTuple):
    """A PAM service that people log in with; one of `programs` asks it (a name, or a path). `is_local`: only from a console,
    or from a session that somebody has already."""

    programs: tuple[str, ...]
    is_local: bool


class KnownListener(NamedTuple):
    """A program that gives sessions: by the PAM services in `services`, or, without any, as `state` and `reason` say."""

    services: tuple[str, ...] = ()
    state: str = "not_covered"
    reason: str = ""


_GDM = ("gdm3", "gdm")
SERVICES = {
    "login": KnownService(("login",), is_local=True),
    "su": KnownService(("su",), is_local=True),
    "su-l": KnownService(("su",), is_local=True),
    "sudo": KnownService(("sudo",), is_local=True),
    "sudo-i": KnownService(("sudo",), is_local=True),
    "doas": KnownService(("doas",), is_local=True),
    "polkit-1": KnownService(
        ("pkexec", "/usr/lib/polkit-1/polkitd", "/usr/libexec/polkitd", "/usr/lib/policykit-1/polkitd"), is_local=True
    ),
    "gdm": KnownService(_GDM, is_local=True),
    "gdm3": KnownService(_GDM, is_local=True),
    "gdm-password": KnownService(_GDM, is_local=True),
    "gdm-autologin": KnownService(_GDM, is_local=True),
    "gdm-fingerprint": KnownService(_GDM, is_local=True),
    "gdm-smartcard": KnownService(_GDM, is_local=True),
    "lightdm": KnownService(("lightdm",), is_local=True),
    "lightdm-autologin": KnownService(("lightdm",), is_local=True),
    "sddm": KnownService(("sddm",), is_local=True),
    "sddm-autologin": KnownService(("sddm",), is_local=True),
    "kdm": KnownService(("kdm",), is_local=True),
    "xdm": KnownService(("xdm",), is_local=True),
    "lxdm": KnownService(("lxdm", "lxdm-binary"), is_local=True),
    "slim": KnownService(("slim",), is_local=True),
    "greetd": KnownService(("greetd",), is_local=True),
    "ly": KnownService(("ly",), is_local=True),
    "vlock": KnownService(("vlock",), is_local=True),
    "remote": KnownService(("in.telnetd", "telnetd", "in.rlogind"), is_local=False),
    "cockpit": KnownService(
        ("/usr/lib/cockpit/cockpit-session", "/usr/libexec/cockpit-session", "/usr/lib/cockpit/cockpit-ws",
         "/usr/libexec/cockpit-ws"),
        is_local=False,
    ),
    "xrdp-sesman": KnownService(("xrdp-sesman",), is_local=False),
    "rlogin": KnownService(("in.rlogind",), is_local=False),
    "rsh": KnownService(("in.rshd",), is_local=False),
    "rexec": KnownService(("in.rexecd",), is_local=False),
    "vsftpd": KnownService(("vsftpd",), is_local=False),
    "proftpd": KnownService(("proftpd",), is_local=False),
    "pure-ftpd": KnownService(("pure-ftpd",), is_local=False),
    "webmin": KnownService(("/usr/share/webmin/miniserv.pl", "/usr/libexec/webmin/miniserv.pl"), is_local=False),
    "vnc": KnownService(("Xvnc", "vncserver-x11-serviced"), is_local=False),
    "tigervnc": KnownService(("Xvnc", "Xtigervnc"), is_local=False),
    "shellinabox": KnownService(("shellinaboxd",), is_local=False),
    "rstudio": KnownService(("/usr/lib/rstudio-server/bin/rserver",), is_local=False),
}  # fmt: skip

# Nobody gets a session with these: they change an account, or run something for somebody who has logged in.
NO_LOGIN = frozenset(
    (
        "other", "chfn", "chsh", "chpasswd", "chage", "newusers", "passwd", "useradd", "userdel", "usermod", "groupadd",
        "groupdel", "groupmod", "groupmems", "chgpasswd", "shadow", "cron", "crond", "atd", "systemd-user", "runuser",
        "runuser-l", "lightdm-greeter", "sddm-greeter", "gdm-launch-environment", "config-util", "setup", "postlogin",
        "system-auth", "password-auth", "smartcard-auth", "fingerprint-auth",
    )
)  # fmt: skip

_VNC = KnownListener(reason="VNC has a password of its own, and asks for no token")
_UNKNOWN = KnownListener(state="not_judged", reason="it has logins of its own, which are not read here")
_STARTS_OTHERS = KnownListener(state="not_judged", reason="it starts other programs, which its configuration names")
LISTENERS = {
    "dropbear": KnownListener(reason="dropbear takes an SSH key without asking PAM"),
    "in.telnetd": KnownListener(("login", "remote")),
    "telnetd": KnownListener(("login", "remote")),
    "utelnetd": KnownListener(("login",)),
    "in.rlogind": KnownListener(("rlogin",)),
    "in.rshd": KnownListener(("rsh",)),
    "in.rexecd": KnownListener(("rexec",)),
    "xrdp": KnownListener(("xrdp-sesman",)),
    "cockpit-ws": KnownListener(("cockpit",)),
    "cockpit-tls": KnownListener(("cockpit",)),
    "shellinaboxd": KnownListener(("login",)),
    "vsftpd": KnownListener(("vsftpd",)),
    "proftpd": KnownListener(("proftpd",)),
    "pure-ftpd": KnownListener(("pure-ftpd",)),
    **dict.fromkeys(
        (
            "Xvnc", "Xtigervnc", "Xtightvnc", "Xrealvnc", "x11vnc", "x0vncserver", "x0tigervncserver", "vino-server",
            "wayvnc", "krfb",
        ),
        _VNC,
    ),
    **dict.fromkeys(
        (
            "miniserv.pl", "ttyd", "gotty", "wetty", "code-server", "jupyter-lab", "jupyter-notebook", "jupyterhub",
            "rserver", "teleport", "tailscaled", "nxd", "nxserver.bin", "gnome-remote-desktop-daemon", "anydesk",
            "teamviewerd", "rustdesk",
        ),
        _UNKNOWN,
    ),
    **dict.fromkeys(("inetd", "xinetd", "openbsd-inetd", "inetutils-inetd", "tcpserver"), _STARTS_OTHERS),
}  # fmt: skip
