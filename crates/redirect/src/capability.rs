//! The one privilege this program needs, and how the programs it runs come to have it.

use rustix::thread::{CapabilitySet, capabilities, configure_capability_in_ambient_set, set_capabilities};

/// Checks for NET_ADMIN and lets child programs inherit it, which a file capability alone does not. NET_RAW, which
/// legacy iptables asks for, is handed on where it is there.
///
/// # Errors
/// What is missing and how to give it.
pub(crate) fn hand_on_net_admin() -> Result<(), String> {
    let mut sets =
        capabilities(None).map_err(|error| format!("cannot read the process's capabilities: {error}"))?;
    if !sets.permitted.contains(CapabilitySet::NET_ADMIN) {
        return Err(
            "the capability NET_ADMIN is missing: run this container as uid 0, or give the program file \
                    capabilities (setcap cap_net_admin+ep), and add NET_ADMIN to its security context"
                .to_owned(),
        );
    }
    let wanted = sets.permitted.intersection(CapabilitySet::NET_ADMIN | CapabilitySet::NET_RAW);
    sets.inheritable |= wanted;
    sets.effective |= wanted;
    let raise = || {
        set_capabilities(None, sets)?;
        for one in wanted.iter() {
            configure_capability_in_ambient_set(one, true)?;
        }
        Ok::<_, rustix::io::Errno>(())
    };
    raise().map_err(|error| format!("cannot hand on the capability NET_ADMIN: {error}"))
}
