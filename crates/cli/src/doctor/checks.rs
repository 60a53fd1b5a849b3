//! Everything that `outrigger doctor` can find: the source of a table in `docs/doctor.md`.

outrigger_sidecar::checks! {
    LISTENERS: "listeners", Ok, "The sidecar's listeners can be opened on loopback and its authority can be made.", "";
    CANNOT_START: "cannot-start", Fail,
        "Outrigger cannot start here: `exec` would run the program without it.",
        "follow what the message says";
    AROUND: "calls-around", Warn,
        "Something in the environment leads calls around Outrigger.",
        "unset it for the run, or take the provider's name out of it";
    PROXY: "proxy-kept", Note,
        "A proxy is set: Outrigger sends everything on through it.",
        "";
    TRUST_KEPT: "trust-kept", Note,
        "A trust variable is set: `exec` gives the program a copy of that file with Outrigger's authority added.",
        "";
    TRUST_NOWHERE: "trust-nowhere", Warn,
        "A trust variable names a file that cannot be read.",
        "correct or unset it: programs that read it trust nothing as it is";
    SYSTEM_STORE: "system-store", Ok, "The system's trust store was found.", "";
    SYSTEM_STORE_OLD: "system-store-old", Note,
        "The system's trust store is older than two years; newer authorities are missing in it.",
        "update the package `ca-certificates`";
    SYSTEM_STORE_NONE: "system-store-none", Note,
        "No trust store of the system was found; programs are given the public set that Outrigger carries.",
        "install the package `ca-certificates`";
    REDIRECT: "redirect-on-host", Warn,
        "An Outrigger redirect stands on this host itself: while a sidecar gives its sign of life, all HTTPS here goes through it.",
        "remove it with `outrigger-redirect --undo` if nobody means it to be there";
    OFFLINE: "offline", Note,
        "Nothing left this machine, so no round trip was proven.",
        "`outrigger doctor --online` proves one to each provider, without a key";
    OBSERVED: "runtime-observed", Ok, "Programs of this runtime are observed under `outrigger exec`.", "";
    LIMITED: "runtime-limited", Note,
        "Programs of this runtime are observed only with something more.",
        "run them with `outrigger exec --mode base-url`";
    UNOBSERVABLE: "runtime-unobservable", Note,
        "Programs of this runtime go unobserved.",
        "none from outside: neither proxy, trust store nor base URL of it can be set by a variable";
    UNPROBED: "runtime-unprobed", Warn,
        "A program is installed, but did not tell its version in time.",
        "run it by hand: it would not serve a program either";
    ABSENT: "runtimes-absent", Note, "These runtimes are not on PATH.", "";
    LOST: "authority-lost-to-exec", Warn,
        "A runtime's own store holds authorities that the file `exec` gives it does not: servers under them would be refused.",
        "give them with `--extra-ca FILE`";
    CERTAIN: "authorities-kept", Ok,
        "Every authority of the runtime's own store is in the file that `exec` gives it.",
        "";
}
