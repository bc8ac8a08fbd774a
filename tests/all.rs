//! Every test that goes through the front door: one binary, `support` and then a file per noun.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod domain;
