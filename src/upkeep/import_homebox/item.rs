//! A row as a record and its notes. Pure: what the record says depends on the row, the currency and the day alone.

use jiff::civil::DateTime;
use sha2::{Digest, Sha256};

use super::cells;
use super::sheet::{BadRow, Column, Row, Sheet};
use crate::domain::access::Visibility;
use crate::domain::chain::hex;
use crate::domain::event::External;
use crate::domain::field::{Field, FieldType, FieldValue};
use crate::domain::money::{Amount, Currency};
use crate::domain::text::{Description, FieldName, NoteText, Title};
use crate::domain::verbs::{self, NewNote, NewRecord};
use crate::domain::when::Occurred;

/// The word for the other program in `external`.
pub const SOURCE: &str = "homebox";
/// The longest text that fits one line of a field; what is longer, or has several lines, becomes a note.
const FIELD_MOST: usize = 2000;
/// The longest reference that is kept as it is.
const REFERENCE_MOST: usize = 200;

/// What counts for every row.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The currency of every price.
    pub currency: Option<Currency>,
    /// The importing member's wall clock.
    pub now: DateTime,
}

/// A row that can be imported.
#[derive(Clone, Debug)]
pub struct Item {
    /// The row as a spreadsheet counts it.
    pub row: u64,
    /// The record.
    pub new: NewRecord,
    /// Purchase, sale and notes.
    pub notes: Vec<NewNote>,
    /// `HB.parent_import_ref`, if there is one.
    pub parent: Option<String>,
}

impl Item {
    /// The row's identity.
    pub fn reference(&self) -> &str {
        self.new.external.as_ref().map_or("", |external| &external.reference)
    }
}

/// The identity of a row. `HB.import_ref` if there is one. Otherwise a digest of what identifies the thing in the other
/// program (name, location, asset id, manufacturer, model and serial number), so that a later file with a changed
/// description or price still finds the record.
pub fn reference(sheet: &Sheet, row: &Row) -> String {
    let said = sheet.cell(row, Column::ImportRef);
    if !said.is_empty() {
        return bounded(said);
    }
    let mut hasher = Sha256::new();
    hasher.update(b"lifeops.homebox.row.1\0");
    let location = cells::path(sheet.cell(row, Column::Location));
    let mut part = |text: &str| {
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text.as_bytes());
    };
    part(&location);
    for column in [Column::Name, Column::AssetId, Column::Manufacturer, Column::ModelNumber, Column::SerialNumber] {
        part(sheet.cell(row, column));
    }
    format!("row:{}", hex(&hasher.finalize()))
}

/// A reference as it is kept: one that is far too long as its digest.
pub fn bounded(reference: &str) -> String {
    if reference.chars().count() <= REFERENCE_MOST {
        return reference.to_owned();
    }
    format!("ref:{}", hex(&Sha256::digest(reference.as_bytes())))
}

/// Reads a row, or names every cell that is wrong.
pub fn read(sheet: &Sheet, row: &Row, reference: String, terms: &Terms) -> Result<Item, Vec<BadRow>> {
    let mut reading = Reading { sheet, row, terms, fields: Vec::new(), notes: Vec::new(), bad: Vec::new() };
    let title = reading.cell(Column::Name, |text| Title::parse(text).map_err(|r| cells::sentence(&r.0)));
    let description = reading.cell(Column::Description, |text| match text {
        "" => Ok(None),
        text => Description::parse(text).map(Some).map_err(|r| cells::sentence(&r.0)),
    });
    let tags = reading.cell(Column::Tags, cells::tags);
    reading.purchase();
    reading.facts();
    reading.sale();
    reading.custom_fields();
    reading.page();
    reading.notes_of_the_row();
    let parent = Some(sheet.cell(row, Column::ParentImportRef)).filter(|text| !text.is_empty()).map(str::to_owned);
    let Reading { fields, notes, mut bad, .. } = reading;
    if let (Some(title), Some(description), Some(tags), true) = (title, description, tags, bad.is_empty()) {
        let new = NewRecord {
            title,
            category: None,
            description,
            tags,
            fields,
            visibility: Visibility::Household,
            occurred: today(terms),
            external: Some(External { source: SOURCE.to_owned(), reference }),
        };
        match verbs::create(&new) {
            Ok(_) => return Ok(Item { row: row.number, new, notes, parent }),
            Err(refusal) => {
                bad.push(BadRow { row: row.number, column: String::new(), reason: cells::sentence(&refusal.0) });
            }
        }
    }
    Err(bad)
}

/// The fact that names what a thing is part of.
pub fn part_of(item: &mut Item, parent: &str) -> Result<(), BadRow> {
    let column = "HB.parent_import_ref";
    let bad = |reason: String| BadRow { row: item.row, column: column.to_owned(), reason };
    let fields: Vec<&str> = item.new.fields.iter().map(|field| field.name.as_str()).collect();
    let name = free_name("Part of", &fields).map_err(&bad)?;
    let value = FieldValue::parse(FieldType::Text, parent, DateTime::default())
        .map_err(|refusal| bad(cells::sentence(&refusal.0)))?;
    item.new.fields.push(Field { name, value });
    Ok(())
}

fn today(terms: &Terms) -> Occurred {
    Occurred::day(terms.now.date())
}

/// A name that no field of the record has yet: a custom field may be called as one of ours is.
fn free_name(wanted: &str, taken: &[&str]) -> Result<FieldName, String> {
    let mut name = wanted.to_owned();
    let mut number = 1;
    while taken.iter().any(|other| cells::same_name(other, &name)) {
        number += 1;
        name = format!("{wanted} ({number})");
    }
    FieldName::parse(&name).map_err(|refusal| cells::sentence(&refusal.0))
}

struct Reading<'a> {
    sheet: &'a Sheet,
    row: &'a Row,
    terms: &'a Terms,
    fields: Vec<Field>,
    notes: Vec<NewNote>,
    bad: Vec<BadRow>,
}

impl Reading<'_> {
    /// A purchase whose day is known is an event; one without a day keeps what is known of it as fields.
    fn purchase(&mut self) {
        let now = self.terms.now;
        let on = self.cell(Column::PurchaseDate, |text| cells::past(text, now)).flatten();
        let price = self.price(Column::PurchasePrice);
        let from = self.text(Column::PurchaseFrom);
        match on {
            Some(on) => {
                let text = if from.is_empty() { "Bought.".to_owned() } else { format!("Bought from {from}.") };
                self.note(Column::PurchaseFrom, &text, on, price);
            }
            None => {
                self.field("Bought from", Column::PurchaseFrom, &from);
                self.money("Purchase price", Column::PurchasePrice, price);
            }
        }
    }

    /// A sale brings money in, which an amount says with a minus: amounts are costs.
    fn sale(&mut self) {
        let now = self.terms.now;
        let on = self.cell(Column::SoldDate, |text| cells::past(text, now)).flatten();
        let price = self.price(Column::SoldPrice);
        let (to, words) = (self.text(Column::SoldTo), self.text(Column::SoldNotes));
        match on {
            Some(on) => {
                let mut text = "Sold".to_owned();
                if !to.is_empty() {
                    text += &format!(" to {to}");
                }
                if let Some(price) = price {
                    text += &format!(" for {}", price.words());
                }
                text += ".";
                if !words.is_empty() {
                    text += &format!("\n\n{words}");
                }
                let income = price.map(|price| Amount { minor: -price.minor, ..price });
                self.note(Column::SoldNotes, &text, on, income);
            }
            None => {
                self.field("Sold to", Column::SoldTo, &to);
                self.money("Sold for", Column::SoldPrice, price);
                self.field("About the sale", Column::SoldNotes, &words);
            }
        }
    }

    fn facts(&mut self) {
        for (name, column) in [
            ("Manufacturer", Column::Manufacturer),
            ("Model number", Column::ModelNumber),
            ("Serial number", Column::SerialNumber),
            ("Asset ID", Column::AssetId),
        ] {
            let text = self.text(column);
            self.field(name, column, &text);
        }
        let location = cells::path(self.sheet.cell(self.row, Column::Location));
        self.field("Location", Column::Location, &location);
        let quantity = self.cell(Column::Quantity, cells::number).flatten();
        self.put("Quantity", Column::Quantity, quantity);
        for (name, column) in [
            ("Insured", Column::Insured),
            ("Archived", Column::Archived),
            ("Lifetime warranty", Column::LifetimeWarranty),
        ] {
            if self.cell(column, cells::truth) == Some(true) {
                self.put(name, column, Some(FieldValue::text("Yes")));
            }
        }
        let expires = self.cell(Column::WarrantyExpires, cells::date).flatten();
        let expires = expires.map(|date| FieldValue { ty: FieldType::Date, value: Occurred::day(date).to_string() });
        self.put("Warranty expires", Column::WarrantyExpires, expires);
        let details = self.text(Column::WarrantyDetails);
        self.field("Warranty details", Column::WarrantyDetails, &details);
    }

    fn custom_fields(&mut self) {
        let sheet = self.sheet;
        for (name, place) in &sheet.fields {
            let text = self.row.at(*place).to_owned();
            let column = format!("HB.field.{name}");
            self.field_in(name, &column, &text);
        }
    }

    /// The thing's page in the other program: a link if it is a whole address, text otherwise.
    fn page(&mut self) {
        let text = self.text(Column::Url);
        match FieldValue::parse(FieldType::Link, &text, self.terms.now) {
            Ok(link) => self.put("Homebox page", Column::Url, Some(link)),
            Err(_) => self.field("Homebox page", Column::Url, &text),
        }
    }

    fn notes_of_the_row(&mut self) {
        let text = self.text(Column::Notes);
        if !text.is_empty() {
            self.note(Column::Notes, &text, today(self.terms), None);
        }
    }

    fn price(&mut self, column: Column) -> Option<Amount> {
        let currency = self.terms.currency;
        self.cell(column, |text| cells::price(text, currency)).flatten()
    }

    fn text(&self, column: Column) -> String {
        self.sheet.cell(self.row, column).to_owned()
    }

    fn cell<T>(&mut self, column: Column, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        match read(self.sheet.cell(self.row, column)) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.refuse(self.sheet.name(column).to_owned(), reason);
                None
            }
        }
    }

    fn note(&mut self, column: Column, text: &str, occurred: Occurred, amount: Option<Amount>) {
        match NoteText::parse(text) {
            Ok(text) => self.notes.push(NewNote { text, occurred, amount, reading: None }),
            Err(refusal) => self.refuse(self.sheet.name(column).to_owned(), cells::sentence(&refusal.0)),
        }
    }

    fn money(&mut self, name: &str, column: Column, amount: Option<Amount>) {
        self.put(name, column, amount.map(|a| FieldValue { ty: FieldType::Money, value: a.to_string() }));
    }

    fn field(&mut self, name: &str, column: Column, text: &str) {
        self.field_in(name, self.sheet.name(column), text);
    }

    /// A field of text; a note where the text has several lines or does not fit one.
    fn field_in(&mut self, name: &str, column: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        if text.contains('\n') || text.chars().count() > FIELD_MOST {
            match NoteText::parse(&format!("{name}\n\n{text}")) {
                Ok(text) => self.notes.push(NewNote { text, occurred: today(self.terms), amount: None, reading: None }),
                Err(refusal) => self.refuse(column.to_owned(), cells::sentence(&refusal.0)),
            }
            return;
        }
        match FieldValue::parse(FieldType::Text, text, self.terms.now) {
            Ok(value) => self.put_in(name, column, value),
            Err(refusal) => self.refuse(column.to_owned(), cells::sentence(&refusal.0)),
        }
    }

    fn put(&mut self, name: &str, column: Column, value: Option<FieldValue>) {
        if let Some(value) = value {
            self.put_in(name, self.sheet.name(column), value);
        }
    }

    fn put_in(&mut self, name: &str, column: &str, value: FieldValue) {
        let taken: Vec<&str> = self.fields.iter().map(|field| field.name.as_str()).collect();
        match free_name(name, &taken) {
            Ok(name) => self.fields.push(Field { name, value }),
            Err(reason) => self.refuse(column.to_owned(), reason),
        }
    }

    fn refuse(&mut self, column: String, reason: String) {
        self.bad.push(BadRow { row: self.row.number, column, reason });
    }
}
