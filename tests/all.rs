//! Every test that goes through the front door: one binary, `support` and then a file per noun. Run it with `tests/run`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[macro_use]
mod support;

mod accounts;
mod attacks;
mod browser;
mod browser_accounts;
mod cli;
mod concurrency;
mod connections;
mod dates;
mod demo;
mod domain;
mod files;
mod files_kept;
mod files_limits;
mod files_sealed;
mod files_served;
mod homebox;
mod household;
mod invitations;
mod journey;
mod kill;
mod ledger;
mod lists;
mod lists_walked;
mod matrix;
mod nasty;
mod news;
mod pages;
mod parked;
mod people;
mod properties;
mod resets;
mod search;
mod second_factor;
mod security;
mod setup;
mod sharing;
mod throttling;
mod timeline;
mod upkeep;
mod walls;
