//! What a file comes to, before anything here is looked at. Pure.

use std::collections::{BTreeMap, HashMap};

use super::item::{self, Item, Terms};
use super::sheet::{BadRow, Column, Sheet};

/// Rows as records to be, and everything that is wrong.
#[derive(Debug)]
pub(super) struct Plan {
    /// How many rows the file has.
    pub(super) rows: usize,
    /// The rows that can be imported, in the file's order.
    pub(super) items: Vec<Item>,
    /// The cells that cannot.
    pub(super) bad: Vec<BadRow>,
    /// Columns that are not read.
    pub(super) unknown: Vec<String>,
    /// Names by `HB.import_ref`, those of bad rows too.
    pub(super) names: BTreeMap<String, String>,
}

impl Plan {
    /// Reads a file. Fails, with a sentence, only if the file as a whole is none that can be imported.
    pub(super) fn of(file: &[u8], terms: &Terms) -> Result<Self, String> {
        let sheet = Sheet::read(file)?;
        let unreadable: std::collections::BTreeSet<u64> = sheet.bad.iter().map(|bad| bad.row).collect();
        let mut plan = Self {
            rows: sheet.rows.len() + unreadable.len(),
            items: Vec::new(),
            bad: sheet.bad.clone(),
            unknown: sheet.unknown.clone(),
            names: BTreeMap::new(),
        };
        let mut seen: HashMap<String, (u64, u64)> = HashMap::new();
        for row in &sheet.rows {
            let said = sheet.cell(row, Column::ImportRef);
            let mut reference = item::reference(&sheet, row);
            if let Some((first, times)) = seen.get_mut(&reference) {
                if !said.is_empty() {
                    plan.bad.push(BadRow {
                        row: row.number,
                        column: sheet.name(Column::ImportRef).to_owned(),
                        reason: format!(
                            "\u{201c}{said}\u{201d} stands in row {first} already; a reference names one thing."
                        ),
                    });
                    continue;
                }
                // Two chairs that nothing tells apart are two chairs: the second, the third … in the file's order.
                *times += 1;
                reference = format!("{reference}:{times}");
            } else {
                seen.insert(reference.clone(), (row.number, 1));
            }
            if !said.is_empty() {
                plan.names.insert(said.to_owned(), sheet.cell(row, Column::Name).to_owned());
            }
            match item::read(&sheet, row, reference, terms) {
                Ok(item) => plan.items.push(item),
                Err(bad) => plan.bad.extend(bad),
            }
        }
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::domain::money::Currency;
    use crate::domain::verbs;

    fn terms() -> Terms {
        Terms { currency: Currency::parse("EUR").ok(), now: "2026-11-22T12:00:00".parse().unwrap() }
    }

    /// Whatever stands in the file, it gives records that the domain takes, or reasons; and each row one of the two.
    fn holds(file: &[u8]) {
        let Ok(plan) = Plan::of(file, &terms()) else { return };
        let bad: std::collections::BTreeSet<u64> = plan.bad.iter().map(|bad| bad.row).collect();
        let good: std::collections::BTreeSet<u64> = plan.items.iter().map(|item| item.row).collect();
        assert_eq!(bad.len() + good.len(), plan.rows);
        assert!(bad.is_disjoint(&good));
        assert!(plan.bad.iter().all(|bad| !bad.reason.is_empty()));
        let references: std::collections::BTreeSet<&str> = plan.items.iter().map(Item::reference).collect();
        assert_eq!(references.len(), plan.items.len());
        for item in &plan.items {
            assert!(verbs::create(&item.new).is_ok());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_rows_or_reasons(body in proptest::collection::vec(any::<u8>(), 0..400)) {
            holds(&body);
            let header = b"HB.name,HB.purchase_date,HB.purchase_price,HB.quantity,HB.notes,HB.field.A,HB.import_ref\n";
            holds(&[&header[..], &body].concat());
        }

        #[test]
        fn any_cells_give_rows_or_reasons(rows in proptest::collection::vec(
            proptest::collection::vec("(\\PC{0,12}|[0-9/T:.,;\"\n-]{0,12})", 7), 0..6)
        ) {
            let mut file = csv::Writer::from_writer(Vec::new());
            let header = ["HB.name", "HB.sold_date", "HB.sold_price", "HB.tags", "HB.location", "HB.field.A", "HB.insured"];
            file.write_record(header).unwrap();
            for row in rows {
                file.write_record(row).unwrap();
            }
            holds(&file.into_inner().unwrap());
        }
    }
}
