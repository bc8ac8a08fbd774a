//! Stores of files: a directory, or a bucket of one's own at the S3 server that `tests/run` starts.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use lifeops::config::{S3Place, Secret};

/// Which kind of store a test's files lie in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Store {
    /// A directory.
    Directory,
    /// A bucket.
    S3,
}

/// A bucket of one's own.
#[derive(Debug)]
pub struct Bucket {
    name: String,
    /// Where the server is; a test may put another one in between.
    pub endpoint: String,
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run the tests with tests/run, which starts S3"))
}

impl Bucket {
    /// Makes one. The server keeps a bucket as a folder.
    pub fn make() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = format!("t{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let bucket = Self { name, endpoint: variable("TEST_S3") };
        std::fs::create_dir_all(bucket.folder()).expect("a folder");
        bucket
    }

    /// The folder in which the server keeps its objects.
    pub fn folder(&self) -> PathBuf {
        PathBuf::from(variable("TEST_S3_FOLDER")).join(&self.name)
    }

    /// As settings name it.
    pub fn place(&self) -> S3Place {
        S3Place {
            bucket: self.name.clone(),
            prefix: "papers".to_owned(),
            endpoint: Some(self.endpoint.clone()),
            region: "us-east-1".to_owned(),
            access_key: Some(Secret::new(variable("TEST_S3_KEY"))),
            secret_key: Some(Secret::new(variable("TEST_S3_SECRET"))),
            path_style: true,
        }
    }

    /// As the environment names it.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LIFEOPS_BLOBS", format!("s3://{}/papers", self.name)),
            ("LIFEOPS_S3_ENDPOINT", self.endpoint.clone()),
            ("LIFEOPS_S3_ACCESS_KEY", variable("TEST_S3_KEY")),
            ("LIFEOPS_S3_SECRET_KEY", variable("TEST_S3_SECRET")),
        ]
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.folder());
    }
}
