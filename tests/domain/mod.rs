//! The domain, without a database: given / when / then.

mod attachments;
mod chain;
mod edits;
mod household;
mod keeping;
mod samples;
mod values;

use std::str::FromStr;

use lifeops::domain::access::Visibility;
use lifeops::domain::event::{EventRetracted, Fact, Payload, RecordCreated, RecordUpdated};
use lifeops::domain::field::{Field, FieldValue};
use lifeops::domain::ids::{EventId, MemberId};
use lifeops::domain::instant::Instant;
use lifeops::domain::text::{FieldName, Title};
use lifeops::domain::when::Occurred;
use uuid::Uuid;

/// A stream that is told event by event.
pub struct Told {
    pub facts: Vec<Fact>,
}

pub fn on(iso: &str) -> Occurred {
    Occurred::parse_iso(iso).unwrap()
}

pub fn event_id(n: u128) -> EventId {
    EventId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + n))
}

pub fn ana() -> MemberId {
    MemberId::from_str("0190aaaa-0000-7000-8000-000000000001").unwrap()
}

pub fn field(name: &str, value: &str) -> Field {
    Field { name: FieldName::parse(name).unwrap(), value: FieldValue::text(value) }
}

impl Told {
    /// A record that began so long ago that nothing is told before it.
    pub fn new() -> Self {
        let mut told = Self { facts: Vec::new() };
        told.tell("1900", created("Corolla"));
        told
    }

    /// Tells one more event and returns its id.
    pub fn tell(&mut self, occurred: &str, payload: impl Into<Payload>) -> EventId {
        let version = i64::try_from(self.facts.len()).unwrap() + 1;
        let event = event_id(u128::try_from(version).unwrap());
        self.facts.push(Fact {
            position: version * 3,
            version,
            event,
            actor: Some(ana()),
            occurred: on(occurred),
            recorded: Instant::from_micros(version * 1_000_000),
            payload: payload.into(),
        });
        event
    }

    pub fn changed(&mut self, occurred: &str, value: &str) -> EventId {
        self.tell(occurred, RecordUpdated { fields_set: vec![field("Plate", value)], ..RecordUpdated::nothing() })
    }

    pub fn wrong(&mut self, corrects: EventId, value: &str) -> EventId {
        self.tell(
            "2026-11-22",
            RecordUpdated {
                fields_set: vec![field("Plate", value)],
                corrects: Some(corrects),
                ..RecordUpdated::nothing()
            },
        )
    }

    pub fn cleared(&mut self, occurred: &str) -> EventId {
        self.tell(
            occurred,
            RecordUpdated { fields_cleared: vec![FieldName::parse("plate").unwrap()], ..RecordUpdated::nothing() },
        )
    }

    pub fn retract(&mut self, event_id: EventId) -> EventId {
        self.tell("2026-11-22", EventRetracted { event_id, reason: None })
    }
}

pub fn created(title: &str) -> RecordCreated {
    RecordCreated {
        title: Title::parse(title).unwrap(),
        visibility: Visibility::Household,
        category: None,
        description: None,
        tags: Vec::new(),
        fields: Vec::new(),
        external: None,
    }
}
