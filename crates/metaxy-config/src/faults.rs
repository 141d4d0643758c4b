//! What is wrong with a single text: a host, an endpoint, a bucket, an account, a region.

use std::net::Ipv6Addr;

use ducklake_sql::SecretType;
use metaxy_diagnostics::Severity;

/// What is wrong with a value: how bad it is, what it is, and what to write.
pub(crate) struct Fault {
    pub(crate) severity: Severity,
    pub(crate) why: &'static str,
    pub(crate) help: &'static str,
}

#[expect(clippy::unnecessary_wraps, reason = "every check of a text returns it so")]
pub(crate) const fn wrong(why: &'static str, help: &'static str) -> Option<Fault> {
    Some(Fault { severity: Severity::Error, why, help })
}

#[expect(clippy::unnecessary_wraps, reason = "every check of a text returns it so")]
const fn odd(why: &'static str, help: &'static str) -> Option<Fault> {
    Some(Fault { severity: Severity::Warning, why, help })
}

/// What no host of libpq can be: one or more names or addresses with commas, or the folder of a socket.
pub(crate) fn host_fault(text: &str) -> Option<Fault> {
    if text.contains("://") {
        return wrong("is a URL", "write the name or the address alone; the rest of the URL has keys of its own");
    }
    text.split(',').find_map(|host| {
        if host.starts_with(['/', '@']) || host.split('%').next().is_some_and(|host| host.parse::<Ipv6Addr>().is_ok()) {
            None
        } else if host.starts_with('[') {
            wrong("is in brackets", "write the address without them, and the port in `port`")
        } else if is_with_port(host) {
            wrong("holds a port", "write the port in `port`")
        } else if host.contains('@') {
            wrong("holds a login", "write the login in `user` and `password`")
        } else if host.contains('/') {
            wrong("holds a path", "write the name or the address alone")
        } else {
            name_fault(host)
        }
    })
}

fn is_with_port(host: &str) -> bool {
    host.rsplit_once(':').is_some_and(|(name, port)| {
        !name.contains(':') && (port.is_empty() || port.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

/// What no name of a host has in it. Letters of all languages are left to the resolver, and so is what a proxy may know.
fn name_fault(name: &str) -> Option<Fault> {
    const HELP: &str = "write the name or the address alone";

    let is_of_name = |char: char| char.is_alphanumeric() || ['.', '-', '_'].contains(&char);
    if name.chars().all(is_of_name) {
        None
    } else if name.contains(|char: char| char.is_whitespace() || ":{}$<>[]".contains(char)) {
        wrong("holds a blank or another character that no host has", HELP)
    } else {
        odd("holds a character that hosts do not have", HELP)
    }
}

/// What no bucket, or no container of Azure, is called.
///
/// Buckets in upper case are at Amazon since before 2018, in one region; its hosts have no such names, so a path leads there.
pub(crate) fn bucket_fault(kind: SecretType, name: &str, may_be_in_upper_case: bool) -> Option<Fault> {
    if name.contains("://") {
        return wrong("is a location", "write its name alone; what follows it goes into `prefix`");
    }
    // Python Metaxy puts a location together from both, so that it works.
    if name.contains('/') {
        return odd("holds a prefix", "write its name alone; what follows it goes into `prefix`");
    }
    if name.starts_with(['-', '.']) || name.ends_with(['-', '.']) || name.contains("..") {
        return wrong(
            "begins or ends with `-` or `.`, or has two `.` in a row",
            "write its name as the storage shows it",
        );
    }
    let has_upper = name.bytes().any(|byte| byte.is_ascii_uppercase());
    match kind {
        SecretType::S3 if has_upper && !may_be_in_upper_case => wrong(
            "is in upper case, as only the oldest of Amazon in `us-east-1` are, with `url_style = \"path\"`",
            "write it in lower case, if it is",
        ),
        // Other servers may have such buckets.
        SecretType::S3 if has_upper => {
            odd("is in upper case, as no newer bucket of Amazon is", "write it in lower case, if it is")
        }
        SecretType::S3 => None,
        _ if has_upper => {
            wrong("is in upper case, as none of this storage is", "write its name as the storage shows it")
        }
        SecretType::R2 | SecretType::Azure if name.contains(['.', '_']) => {
            wrong("holds `.` or `_`, as none of this storage does", "write its name as the storage shows it")
        }
        _ => None,
    }
}

/// Services whose names for a bucket begin with it.
const PROVIDERS: &[&str] = &[
    "amazonaws.com",
    "amazonaws.com.cn",
    "backblazeb2.com",
    "digitaloceanspaces.com",
    "linodeobjects.com",
    "r2.cloudflarestorage.com",
    "scw.cloud",
    "storage.googleapis.com",
    "wasabisys.com",
];

/// What no endpoint is: `host` or `host:port`.
pub(crate) fn endpoint_fault(endpoint: &str, bucket: Option<&str>) -> Option<Fault> {
    const HOLDS_BUCKET: (&str, &str) = ("holds the bucket", "leave it out: DuckDB adds it, as `url_style` says");
    // A login is told of elsewhere.
    if endpoint.contains('@') {
        return None;
    }
    if endpoint.contains("://") {
        return wrong("has a scheme other than `http` and `https`", "write `host` or `host:port`");
    }
    if endpoint.contains(['?', '#']) {
        return wrong("holds a query", "write `host` or `host:port`");
    }
    let (host, path) = endpoint.split_once('/').unwrap_or((endpoint, ""));
    if path.split('/').any(|part| !part.is_empty() && Some(part) == bucket) {
        return wrong(HOLDS_BUCKET.0, HOLDS_BUCKET.1);
    }
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) if address.parse::<Ipv6Addr>().is_err() => {
            return wrong("has brackets around what is no address", "write `host` or `host:port`");
        }
        Some((_, after)) => ("", after.strip_prefix(':')),
        None if host.parse::<Ipv6Addr>().is_ok() => {
            return wrong("is an address without brackets", "write it in brackets, as `[2001:db8::1]:9000`");
        }
        None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    if host.is_empty() || host.starts_with(':') {
        return wrong("has no host", "write `host` or `host:port`");
    }
    if port.is_some_and(|port| port.parse::<u16>().unwrap_or_default() == 0) {
        return wrong("has a port that is none", "write `host` or `host:port`, the port from 1 to 65535");
    }
    if let Some(fault) = name_fault(name) {
        return Some(fault);
    }
    let rest =
        bucket.and_then(|bucket| name.to_ascii_lowercase().strip_prefix(&[bucket, "."].concat()).map(str::to_owned));
    if let Some(rest) = rest {
        if PROVIDERS.iter().any(|provider| rest.ends_with(&[".", provider].concat())) {
            return wrong(HOLDS_BUCKET.0, HOLDS_BUCKET.1);
        }
        let help = "leave the bucket out, which DuckDB adds as `url_style` says, unless the server is called so";
        return odd("begins with the name of the bucket", help);
    }
    if path.trim_matches('/').is_empty() {
        return None;
    }
    odd("has a path after the host, which few servers have", "write `host` or `host:port`")
}

/// What no account of Azure is called.
pub(crate) fn account_fault(name: &str) -> Option<Fault> {
    if name.contains(['.', '/', ':']) {
        return wrong("is a host or a URL", "write what stands before `.blob.core.windows.net` alone");
    }
    let is_of_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if (3..=24).contains(&name.len()) && name.bytes().all(is_of_name) {
        return None;
    }
    wrong("is none: they have 3 to 24 lower-case letters and digits", "copy it from Azure's portal")
}

/// What no region is; servers of one's own call theirs as they like.
pub(crate) fn region_fault(region: &str) -> Option<Fault> {
    if !region.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
        return wrong("holds a character that none has", "write its code, as in `eu-central-1`");
    }
    let lower = region.to_ascii_lowercase();
    let mut parts = lower.split('-');
    let is_letters = |part: &str| part.len() >= 2 && part.bytes().all(|byte| byte.is_ascii_lowercase());
    let (first, second, third) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next());
    let is_amazons = first.len() == 2 && is_letters(first) && is_letters(second) && parts.next().is_none();
    let number = third.filter(|_| is_amazons).unwrap_or_default().as_bytes();
    match number {
        [digit, zone] if digit.is_ascii_digit() && zone.is_ascii_lowercase() => {
            odd("is an availability zone", "write the region, which is without the last letter")
        }
        [digit] if digit.is_ascii_digit() && region != lower => odd("is in upper case", "write it in lower case"),
        _ => respelled(&lower).filter(|known| *known != lower).and_then(|_| {
            odd("is not spelled as Amazon's are", "write it with `-` between its parts, as in `eu-central-1`")
        }),
    }
}

/// Amazon's spelling of a region whose parts are joined in another way, or not at all.
fn respelled(region: &str) -> Option<String> {
    const DIRECTIONS: &[&str] =
        &["northeast", "northwest", "southeast", "southwest", "north", "south", "east", "west", "central"];
    let joined: String = region.chars().filter(char::is_ascii_alphanumeric).collect();
    let (area, rest) =
        joined.split_at_checked(2).filter(|(area, _)| area.bytes().all(|byte| byte.is_ascii_lowercase()))?;
    let (direction, number) = DIRECTIONS.iter().find_map(|known| Some((known, rest.strip_prefix(known)?)))?;
    let is_number = number.len() == 1 && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| [area, direction, number].join("-"))
}
