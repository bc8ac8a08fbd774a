//! Looking after an installation: is it intact, bring it back to what its events say, take everything out, bring it in
//! again, take in what another program kept, and furnish a household to look around in.

pub mod demo; // a household to look around in
pub mod export; // everything as one file
pub mod import_homebox; // a CSV file of another program
pub mod key_change; // from one master key to another
pub mod lines; // the export's lines
pub mod own_records; // what a member takes along who leaves
pub mod rebuild; // projections anew
pub mod restore; // an export comes back
pub mod verify; // chain and projections
