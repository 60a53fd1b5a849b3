//! What the sidecar asks for and may take: amounts with which a pod starts, and what one pod's own resources make of them.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::pod;
use crate::quantity::nanos;

/// A pod whose quality of service is guaranteed wants limits of CPU too; less would hold up its calls.
const GUARANTEED_CPU: &str = "100m";
/// Where every container has a limit of CPU a quota may ask for one; this one is asked of no node. It is no more than the largest of
/// theirs, which a LimitRange was seen to take, as long as a sidecar comes up with that.
const LIMITED_CPU: &str = "500m";

/// What the sidecar asks for and may take, as Kubernetes writes quantities.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Resources {
    /// Requested CPU.
    pub cpu: String,
    /// Requested memory.
    pub memory: String,
    /// The most memory; the volume of the issuing key counts too.
    pub memory_limit: String,
    /// The most CPU; without it as much as there is, where no container of the pod is without such a limit some.
    pub cpu_limit: Option<String>,
}

impl Default for Resources {
    fn default() -> Resources {
        Resources {
            cpu: "10m".to_owned(),
            memory: "24Mi".to_owned(),
            memory_limit: "128Mi".to_owned(),
            cpu_limit: None,
        }
    }
}

/// Both ends of what an amount may be. Below, a unit was forgotten or no sidecar comes up; above, no node has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) least: &'static str,
    pub(crate) most: &'static str,
}

const CPU: Range = Range { least: "1m", most: "16" };
const CPU_LIMIT: Range = Range { least: "50m", most: "16" };
const MEMORY: Range = Range { least: "1Mi", most: "16Gi" };
const MEMORY_LIMIT: Range = Range { least: "16Mi", most: "16Gi" };

/// An amount with which no pod could start, by the name that settings have for it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault<'a> {
    /// Kubernetes does not read it.
    NoQuantity { name: &'static str, amount: &'a str },
    /// It is too little or too much.
    OutOfRange { name: &'static str, amount: &'a str, range: Range },
    /// The API server refuses a pod that asks for more than it may take.
    AboveLimit { name: &'static str, amount: &'a str, limit: &'a str },
}

impl Resources {
    /// The first amount with which no pod could start.
    pub(crate) fn fault(&self) -> Option<Fault<'_>> {
        let amounts = [
            ("cpu", Some(&self.cpu), CPU),
            ("memory", Some(&self.memory), MEMORY),
            ("memory_limit", Some(&self.memory_limit), MEMORY_LIMIT),
            ("cpu_limit", self.cpu_limit.as_ref(), CPU_LIMIT),
        ];
        let wrong = amounts.into_iter().find_map(|(name, amount, range)| {
            let amount = amount?;
            let Some(nanos_of) = nanos(amount) else { return Some(Fault::NoQuantity { name, amount }) };
            let is_fine = nanos(range.least) <= Some(nanos_of) && Some(nanos_of) <= nanos(range.most);
            (!is_fine).then_some(Fault::OutOfRange { name, amount, range })
        });
        let pairs =
            [("cpu", &self.cpu, self.cpu_limit.as_ref()), ("memory", &self.memory, Some(&self.memory_limit))];
        let above = || {
            pairs.into_iter().find_map(|(name, amount, limit)| {
                let limit = limit.filter(|limit| nanos(amount) > nanos(limit))?;
                Some(Fault::AboveLimit { name, amount, limit })
            })
        };
        wrong.or_else(above)
    }
}

/// What a container of ours has in `pod`, to be merged into it. A pod that is guaranteed stays so, one that has resources as a whole is left to
/// them, since the parts may not ask for more, and one whose containers have limits that count together has ours among them: what is
/// on `disk_mib` of disk would else be the app's to answer for.
pub(crate) fn given(pod: &Value, asked: &Resources, disk_mib: u64) -> Value {
    let (mut requests, mut limits) = (Map::new(), Map::new());
    let Resources { cpu, memory, memory_limit, cpu_limit } = asked;
    let at_least = |least: &str| {
        let all = [Some(least), Some(cpu), cpu_limit.as_deref()].into_iter().flatten();
        all.max_by_key(|cpu| nanos(cpu)).map(str::to_owned)
    };
    let has_whole = pod["spec"]["resources"].as_object().is_some_and(|whole| !whole.is_empty());
    if !has_whole && is_guaranteed(pod) {
        limits.extend([("cpu".to_owned(), json!(at_least(GUARANTEED_CPU)))]);
        limits.extend([("memory".to_owned(), json!(memory_limit))]);
        requests.clone_from(&limits);
    } else if !has_whole {
        requests.extend([("cpu".to_owned(), json!(cpu)), ("memory".to_owned(), json!(memory))]);
        limits.extend([("memory".to_owned(), json!(memory_limit))]);
        if let Some(limit) = cpu_limit.clone().or_else(|| beside_limits(pod, cpu)) {
            limits.extend([("cpu".to_owned(), json!(limit))]);
        }
    }
    if pod::places(pod).any(|place| is_limited(place.container, DISK)) {
        for of in [&mut requests, &mut limits] {
            of.extend([(DISK.to_owned(), json!(format!("{disk_mib}Mi")))]);
        }
    }
    if limits.is_empty() { json!({}) } else { json!({"resources": {"requests": requests, "limits": limits}}) }
}

/// What a kubelet counts logs and volumes on disk as. Where a container has a limit of it, the pod is evicted past the sum of them.
const DISK: &str = "ephemeral-storage";

fn amount(of: &Value) -> Option<u128> {
    match of {
        Value::String(text) => nanos(text),
        Value::Number(number) => nanos(&number.to_string()),
        _ => None,
    }
}

/// A limit of CPU beside containers that all have one.
fn beside_limits(pod: &Value, asked: &str) -> Option<String> {
    let theirs = pod::places(pod)
        .map(|place| amount(&place.container["resources"]["limits"]["cpu"]).filter(|limit| *limit > 0));
    let largest = theirs.collect::<Option<Vec<u128>>>()?.into_iter().max()?;
    let limit = largest.min(nanos(LIMITED_CPU)?).max(nanos(CPU_LIMIT.least)?).max(nanos(asked)?);
    Some(format!("{}m", limit.div_ceil(MILLI)))
}

/// A thousandth, in billionths; Kubernetes rounds CPU up to them.
const MILLI: u128 = 1_000_000;

fn is_limited(container: &Value, what: &str) -> bool {
    amount(&container["resources"]["limits"][what]).is_some_and(|limit| limit > 0)
}

/// Whether every container may take exactly what it asks for.
fn is_guaranteed(pod: &Value) -> bool {
    pod::places(pod).all(|place| {
        ["cpu", "memory"].into_iter().all(|one| {
            let resources = &place.container["resources"];
            let (limit, request) = (&resources["limits"][one], &resources["requests"][one]);
            is_limited(place.container, one) && (request.is_null() || amount(request) == amount(limit))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_with_which_no_pod_starts_are_found() {
        let of = |cpu: &str, memory: &str, memory_limit: &str, cpu_limit: Option<&str>| Resources {
            cpu: cpu.to_owned(),
            memory: memory.to_owned(),
            memory_limit: memory_limit.to_owned(),
            cpu_limit: cpu_limit.map(str::to_owned),
        };
        for fine in [
            Resources::default(),
            of("1m", "1Mi", "16Mi", Some("50m")),
            of("16", "16Gi", "16Gi", Some("16")),
            of("0.5", "134217728", "1e9", Some("500m")),
        ] {
            assert_eq!(fine.fault(), None, "{fine:?}");
        }
        for (wrong, name) in [
            (of("1E", "24Mi", "128Mi", None), "cpu"),
            (of("0", "24Mi", "128Mi", None), "cpu"),
            (of("10m", "24", "128Mi", None), "memory"),
            (of("10m", "24Mi", "128", None), "memory_limit"),
            (of("10m", "10Mi", "15Mi", None), "memory_limit"),
            (of("10m", "24Mi", "128Ti", None), "memory_limit"),
            (of("1m", "24Mi", "128Mi", Some("1m")), "cpu_limit"),
        ] {
            let fault = wrong.fault();
            assert!(
                matches!(fault, Some(Fault::OutOfRange { name: found, .. }) if found == name),
                "{fault:?}"
            );
        }
    }

    #[test]
    fn a_limit_of_cpu_is_no_more_than_a_limit_range_was_seen_to_take() {
        let pod = |limits: [Value; 2]| json!({"spec": {"containers": limits.map(|limit| json!({"resources": {"limits": {"cpu": limit}}}))}});
        for (theirs, asked, ours) in [
            ([json!(1), json!("2")], "10m", Some("500m")),
            ([json!("100m"), json!("200m")], "10m", Some("200m")),
            ([json!("5m"), json!("1m")], "10m", Some("50m")),
            ([json!(1), json!(1)], "0.6004", Some("601m")),
            ([json!(1), Value::Null], "10m", None),
            ([json!(1), json!(0)], "10m", None),
        ] {
            assert_eq!(beside_limits(&pod(theirs.clone()), asked).as_deref(), ours, "{theirs:?}");
        }
    }

    #[test]
    fn limits_that_count_together_have_ours_among_them() {
        let given = |resources: &[Value]| {
            let containers: Vec<Value> = resources.iter().map(|one| json!({"resources": one})).collect();
            let pod = json!({"spec": {"containers": containers}});
            given(&pod, &Resources::default(), 320)["resources"].clone()
        };
        let (limited, both) = (json!({"limits": {"cpu": 1}}), json!({"limits": {"cpu": "1", DISK: "1Gi"}}));
        assert_eq!(given(&[limited.clone(), both.clone()])["limits"]["cpu"], "500m");
        assert_eq!(given(&[limited.clone(), json!({})])["limits"]["cpu"], Value::Null);
        assert_eq!(given(&[limited.clone(), limited.clone()])["limits"][DISK], Value::Null);
        for of in ["requests", "limits"] {
            assert_eq!(given(&[json!({}), both.clone()])[of][DISK], "320Mi");
        }
        let whole =
            json!({"spec": {"resources": {"limits": {"cpu": 8}}, "containers": [{"resources": both}]}});
        let disk = json!({DISK: "320Mi"});
        let expected = json!({"resources": {"requests": disk, "limits": disk}});
        assert_eq!(super::given(&whole, &Resources::default(), 320), expected);
    }
}
