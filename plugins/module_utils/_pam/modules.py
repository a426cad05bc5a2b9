# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The possible results of PAM modules in the auth phase. Private to the collection.

Taken from the modules' sources and tried on real ones (tests/differential). If a result depends on something unknown in
advance (a password, an address, a file that may change), every result is possible. A module that is not listed may
return anything.
"""

from __future__ import annotations

from typing import Callable, Iterable, NamedTuple, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.access import access_results, listfile_results
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import RETURN_VALUES, Line
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.remembered import groups_remembered
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.subject import Subject, succeed_if

TOKEN_MODULES = ("pam_google_authenticator.so", "pam_oath.so")


class ModuleOutcome(NamedTuple):
    """One possible result of a line. `genuine` is false for a success without the check that the module is there
    for."""

    result: str
    asks_token: bool = False
    genuine: bool = True


ANYTHING = RETURN_VALUES
_TROUBLE = ("system_err", "buf_err", "service_err", "user_unknown", "conv_err", "abort")
_YES_OR_NO = ("success", "auth_err", "perm_denied", "user_unknown", "service_err")
_PASSWORD = (
    "success", "new_authtok_reqd", "auth_err", "user_unknown", "authinfo_unavail", "maxtries", "perm_denied",
    "cred_insufficient", "acct_expired", "authtok_err", "authtok_recover_err", "try_again", *_TROUBLE,
)  # fmt: skip

# Modules that check a password, or an equivalent.
PASSWORD_MODULES = (
    "pam_unix.so", "pam_sss.so", "pam_ldap.so", "pam_krb5.so", "pam_winbind.so", "pam_userdb.so", "pam_pwdfile.so",
    "pam_systemd_home.so", "pam_tcb.so", "pam_unix2.so", "pam_lsass.so", "pam_aad.so", "pam_centrifydc.so",
)  # fmt: skip

# libpam cannot run these in an auth line.
MODULES_WITHOUT_AUTH = (
    "pam_cracklib.so", "pam_limits.so", "pam_loginuid.so", "pam_mkhomedir.so", "pam_motd.so", "pam_namespace.so",
    "pam_oddjob_mkhomedir.so", "pam_passwdqc.so", "pam_pwhistory.so", "pam_pwquality.so", "pam_setquota.so",
    "pam_systemd.so", "pam_time.so", "pam_tty_audit.so", "pam_umask.so", "pam_xauth.so",
)  # fmt: skip

_ALWAYS: dict[str, tuple[str, ...]] = {
    "pam_permit.so": ("success",),
    "pam_deny.so": ("auth_err",),
    "pam_selinux.so": ("auth_err",),
    "pam_env.so": ("ignore",),
    "pam_warn.so": ("ignore",),
    "pam_group.so": ("ignore",),
    "pam_keyinit.so": ("ignore",),
    "pam_mail.so": ("ignore",),
    "pam_faildelay.so": ("ignore", "system_err"),
    "pam_echo.so": ("success", "ignore", "buf_err", "conv_err"),
    "pam_issue.so": ("ignore", "service_err", "buf_err"),
    "pam_rootok.so": ("success", "auth_err"),
    "pam_shells.so": ("success", "auth_err", "service_err"),
    "pam_securetty.so": _YES_OR_NO,
    "pam_localuser.so": _YES_OR_NO,
    "pam_usertype.so": (*_YES_OR_NO, "ignore"),
    "pam_wheel.so": (*_YES_OR_NO, "ignore"),
    "pam_sepermit.so": (*_YES_OR_NO, "ignore"),
    "pam_lastlog.so": ("success", "ignore", "auth_err", "user_unknown"),
    "pam_rhosts.so": ("success", "auth_err", "abort", "user_unknown"),
    "pam_timestamp.so": ("success", "auth_err"),
    "pam_cap.so": ("success", "ignore", "auth_err", *_TROUBLE),
    "pam_gnome_keyring.so": ("success", "ignore", *_TROUBLE),
    "pam_ecryptfs.so": ("success", "ignore", *_TROUBLE),
    "pam_mount.so": ("success", "ignore", "auth_err", *_TROUBLE),
    "pam_script.so": ANYTHING,
    **dict.fromkeys(PASSWORD_MODULES, (*_PASSWORD, "ignore")),
    "pam_unix.so": _PASSWORD,
    **dict.fromkeys(MODULES_WITHOUT_AUTH, ("module_unknown",)),
}  # fmt: skip

Results = Callable[[Sequence[str], Subject, str], Iterable[str]]


def _debug(arguments: Sequence[str], _subject: Subject, _service: str) -> Iterable[str]:
    for argument in arguments:
        if argument.startswith("auth="):
            result = argument[len("auth=") :]
            return (result,) if result in RETURN_VALUES else ("success",)
    return ("success",)


def _exec(arguments: Sequence[str], subject: Subject, _service: str) -> Iterable[str]:
    # A command that fails, whatever its exit status, is system_err (pam_exec.c); getting the password may fail as well.
    command = command_of(arguments)
    if not command:
        return ("ignore", "service_err")
    groups = groups_remembered(command)
    never = bool(groups) and subject.in_any_group(groups) is False
    return (*(() if never else ("success",)), "auth_err", *_TROUBLE)


def _faillock(arguments: Sequence[str], _subject: Subject, _service: str) -> Iterable[str]:
    # `authfail` ignores, but says success to a user the option local_users_only leaves out.
    return ("success", "auth_err", *_TROUBLE, *(("ignore",) if "authfail" in arguments else ()))


def _nologin(arguments: Sequence[str], _subject: Subject, _service: str) -> Iterable[str]:
    return ("success" if "successok" in arguments else "ignore", "auth_err", "user_unknown", "system_err", "buf_err")


_DEPENDS: dict[str, Results] = {
    "pam_succeed_if.so": succeed_if,
    "pam_listfile.so": lambda arguments, subject, _service: listfile_results(arguments, subject),
    "pam_access.so": lambda arguments, subject, _service: access_results(arguments, subject),
    "pam_debug.so": _debug,
    "pam_exec.so": _exec,
    "pam_faillock.so": _faillock,
    "pam_nologin.so": _nologin,
}


def is_known(module: str) -> bool:
    return module in _ALWAYS or module in _DEPENDS or module in TOKEN_MODULES


def outcomes(line: Line, subject: Subject, service: str, token_modules: Sequence[str]) -> list[ModuleOutcome]:
    """Every possible result of this line's module for this subject."""
    name = line.module_name
    if name in token_modules:
        return _TOKEN_OUTCOMES.get(name, _some_token_module)(line.arguments, subject.has_key)
    depends = _DEPENDS.get(name)
    results = depends(line.arguments, subject, service) if depends else _ALWAYS.get(name, ANYTHING)
    return [ModuleOutcome(result) for result in results]


def command_of(arguments: Sequence[str]) -> list[str]:
    """The command that a pam_exec line runs in the auth phase, with its arguments; empty if it runs none."""
    for index, argument in enumerate(arguments):
        option = argument.lower()
        if option.startswith("type="):
            if argument[len("type=") :] != "auth":
                return []
        elif not option.startswith("log=") and option not in _EXEC_OPTIONS:
            return list(arguments[index:])
    return []


_EXEC_OPTIONS = ("debug", "stdout", "seteuid", "quiet", "quiet_log", "expose_authtok")

_GOOGLE_FLAGS = (
    "no_strict_owner", "debug", "try_first_pass", "use_first_pass", "forward_pass", "noskewadj", "no_increment_hotp",
    "nullok", "allow_readonly", "echo-verification-code", "echo_verification_code",
)  # fmt: skip
_GOOGLE_VALUES = ("secret=", "authtok_prompt=", "user=", "allowed_perm=", "grace_period=")


def unknown_google_option(arguments: Sequence[str]) -> str | None:
    """The first option that no version of pam_google_authenticator knows: it then denies without a prompt."""
    for argument in arguments:
        if argument not in _GOOGLE_FLAGS and not argument.startswith(_GOOGLE_VALUES):
            return argument
    return None


def _google(arguments: Sequence[str], has_key: bool | None) -> list[ModuleOutcome]:
    if unknown_google_option(arguments):
        return [ModuleOutcome("auth_err")]
    ways = []
    if has_key is not False:
        ways += [ModuleOutcome("success", asks_token=True), ModuleOutcome("auth_err", asks_token=True)]
        if any(argument.startswith("grace_period=") and argument != "grace_period=0" for argument in arguments):
            ways.append(ModuleOutcome("success", genuine=False))
    if has_key is not True:
        ways.append(ModuleOutcome("ignore") if "nullok" in arguments else ModuleOutcome("auth_err", asks_token=True))
    return ways


def _oath(arguments: Sequence[str], has_key: bool | None) -> list[ModuleOutcome]:
    if not any(argument.startswith("usersfile=") for argument in arguments):
        return [ModuleOutcome("incomplete")]  # it crashes, so nothing after it runs and nobody gets in
    ways = []
    if has_key is not False:
        ways.append(ModuleOutcome("success", asks_token=True))
        ways += [ModuleOutcome(result, asks_token=True) for result in ("auth_err", "authinfo_unavail", "conv_err")]
    if has_key is not True:
        ways.append(ModuleOutcome("user_unknown"))
    if "alwaysok" in arguments:
        ways = [ModuleOutcome("success", way.asks_token, genuine=way.result == "success") for way in ways]
        ways.append(ModuleOutcome("success", asks_token=has_key is not False, genuine=False))
    return ways


def _some_token_module(_arguments: Sequence[str], has_key: bool | None) -> list[ModuleOutcome]:
    ways = [
        ModuleOutcome(result, asks_token=True) for result in ANYTHING if result != "success" or has_key is not False
    ]
    if has_key is not True:
        ways += [ModuleOutcome(result, genuine=False) for result in ANYTHING]
    return ways


_TOKEN_OUTCOMES: dict[str, Callable[[Sequence[str], bool | None], list[ModuleOutcome]]] = {
    "pam_google_authenticator.so": _google,
    "pam_oath.so": _oath,
}
