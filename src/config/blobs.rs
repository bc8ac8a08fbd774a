//! The settings of files: where they lie, and how much of them there may be.

use std::path::{Path, PathBuf};

use super::Secret;

/// Where files lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlobPlace {
    /// A directory of this machine.
    Directory(PathBuf),
    /// A bucket of a service that speaks S3.
    S3(S3Place),
}

/// A bucket, and how to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Place {
    /// The bucket's name.
    pub bucket: String,
    /// What stands in front of every object's name; may be empty.
    pub prefix: String,
    /// The service's address; unset means Amazon's.
    pub endpoint: Option<String>,
    /// The region.
    pub region: String,
    /// The access key's id.
    pub access_key: Option<Secret>,
    /// Its secret.
    pub secret_key: Option<Secret>,
    /// Whether the bucket stands in the path of addresses, not in front of the host.
    pub path_style: bool,
}

/// `file:///…`, `s3://bucket/prefix`, or a directory's path (a relative one lies in the data directory).
pub(super) fn place(text: &str, data: &Path) -> Result<BlobPlace, String> {
    if let Some(rest) = text.strip_prefix("s3://") {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-_/".contains(c);
        if bucket.is_empty() || !rest.chars().all(plain) {
            return Err("must name a bucket, and perhaps a prefix, as in s3://bucket/prefix".to_owned());
        }
        return Ok(BlobPlace::S3(S3Place {
            bucket: bucket.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
            endpoint: None,
            region: String::new(),
            access_key: None,
            secret_key: None,
            path_style: true,
        }));
    }
    let path = match text.split_once("://") {
        Some(("file", path)) if path.starts_with('/') => path,
        Some(_) => return Err("must be a directory, file:///path or s3://bucket/prefix".to_owned()),
        None => text,
    };
    if Path::new(path).is_file() {
        return Err(format!("must be a directory, but {path} is a file"));
    }
    Ok(BlobPlace::Directory(data.join(path)))
}

/// The address of a service: `http://` or `https://`, host and port.
pub(super) fn endpoint(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match rest {
        Some(host) if !host.trim_end_matches('/').is_empty() && !host.contains(['@', '?', '#', ' ']) => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => Err("must be the service's address, for example https://s3.example.org".to_owned()),
    }
}

/// `yes` or `no`.
pub(super) fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(format!("must be yes or no; \u{201c}{text}\u{201d} is neither")),
    }
}

/// A number of bytes with its unit, such as `500 MB` or `2 GiB`.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let example = "must be a number with a unit, such as 500 MB or 2 GB";
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let number: u64 = number.parse().map_err(|_| example.to_owned())?;
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "kb" => 1000,
        "mb" => 1000_u64.pow(2),
        "gb" => 1000_u64.pow(3),
        "tb" => 1000_u64.pow(4),
        "kib" => 1024,
        "mib" => 1024_u64.pow(2),
        "gib" => 1024_u64.pow(3),
        "tib" => 1024_u64.pow(4),
        _ => return Err(example.to_owned()),
    };
    number.checked_mul(factor).filter(|bytes| *bytes > 0).ok_or_else(|| example.to_owned())
}

/// The same, or `none` for no limit at all.
pub(super) fn quota(text: &str) -> Result<Option<u64>, String> {
    if text == "none" {
        return Ok(None);
    }
    bytes(text).map(Some).map_err(|problem| format!("{problem}, or none"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn places_are_understood() {
        let data = Path::new("/var/lib/life");
        for (text, path) in
            [("blobs", "/var/lib/life/blobs"), ("/srv/files", "/srv/files"), ("file:///srv/files", "/srv/files")]
        {
            assert_eq!(place(text, data).unwrap(), BlobPlace::Directory(path.into()), "{text}");
        }
        let BlobPlace::S3(found) = place("s3://papers/house/one/", data).unwrap() else { panic!("not S3") };
        assert_eq!((found.bucket.as_str(), found.prefix.as_str()), ("papers", "house/one"));
        for text in ["s3://", "s3:///x", "s3://b?x=1", "gs://bucket", "file://relative", "s3://a b"] {
            assert!(place(text, data).is_err(), "{text}");
        }
    }

    #[test]
    fn amounts_are_understood() {
        assert_eq!(bytes("500 MB").unwrap(), 500_000_000);
        assert_eq!(bytes("2GiB").unwrap(), 2_147_483_648);
        assert_eq!(quota("none").unwrap(), None);
        assert_eq!(quota("1 TB").unwrap(), Some(1_000_000_000_000));
        for text in ["", "5", "MB", "0 MB", "1.5 GB", "99999999999999 TB", "-1 GB"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
