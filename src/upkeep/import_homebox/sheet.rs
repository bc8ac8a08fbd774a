//! The file as rows and named columns: separators, quoting, byte order mark, and the names that columns may have.

use std::collections::HashMap;

/// A column that the import reads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Column {
    /// `HB.import_ref`: the row's own reference.
    ImportRef,
    /// `HB.parent_import_ref`: the reference of the thing this one is part of.
    ParentImportRef,
    /// `HB.url`: the thing's page in the other program.
    Url,
    /// `HB.name`.
    Name,
    /// `HB.description`.
    Description,
    /// `HB.notes`.
    Notes,
    /// `HB.location`: a path by `/`.
    Location,
    /// `HB.tags` or `HB.labels`, separated by `;`.
    Tags,
    /// `HB.asset_id`.
    AssetId,
    /// `HB.quantity`.
    Quantity,
    /// `HB.purchase_price`.
    PurchasePrice,
    /// `HB.purchase_from`.
    PurchaseFrom,
    /// `HB.purchase_date` or `HB.purchase_time`.
    PurchaseDate,
    /// `HB.manufacturer`.
    Manufacturer,
    /// `HB.model_number`.
    ModelNumber,
    /// `HB.serial_number`.
    SerialNumber,
    /// `HB.lifetime_warranty`.
    LifetimeWarranty,
    /// `HB.warranty_expires`.
    WarrantyExpires,
    /// `HB.warranty_details`.
    WarrantyDetails,
    /// `HB.sold_to`.
    SoldTo,
    /// `HB.sold_price`.
    SoldPrice,
    /// `HB.sold_date` or `HB.sold_time`.
    SoldDate,
    /// `HB.sold_notes`.
    SoldNotes,
    /// `HB.archived`.
    Archived,
    /// `HB.insured`.
    Insured,
}

/// The names that a column may have in the header. Two of one column in one file are a mistake.
const NAMES: [(&str, Column); 28] = [
    ("HB.import_ref", Column::ImportRef),
    ("HB.parent_import_ref", Column::ParentImportRef),
    ("HB.url", Column::Url),
    ("HB.name", Column::Name),
    ("HB.description", Column::Description),
    ("HB.notes", Column::Notes),
    ("HB.location", Column::Location),
    ("HB.tags", Column::Tags),
    ("HB.labels", Column::Tags),
    ("HB.asset_id", Column::AssetId),
    ("HB.quantity", Column::Quantity),
    ("HB.purchase_price", Column::PurchasePrice),
    ("HB.purchase_from", Column::PurchaseFrom),
    ("HB.purchase_date", Column::PurchaseDate),
    ("HB.purchase_time", Column::PurchaseDate),
    ("HB.manufacturer", Column::Manufacturer),
    ("HB.model_number", Column::ModelNumber),
    ("HB.serial_number", Column::SerialNumber),
    ("HB.lifetime_warranty", Column::LifetimeWarranty),
    ("HB.warranty_expires", Column::WarrantyExpires),
    ("HB.warranty_details", Column::WarrantyDetails),
    ("HB.sold_to", Column::SoldTo),
    ("HB.sold_price", Column::SoldPrice),
    ("HB.sold_date", Column::SoldDate),
    ("HB.sold_time", Column::SoldDate),
    ("HB.sold_notes", Column::SoldNotes),
    ("HB.archived", Column::Archived),
    ("HB.insured", Column::Insured),
];

const FIELD_PREFIX: &str = "HB.field.";

/// One row that is wrong: where, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadRow {
    /// The row as a spreadsheet counts it: the header is row 1.
    pub row: u64,
    /// The column's name in the header; empty if the row as a whole is wrong.
    pub column: String,
    /// What is wrong, as a sentence.
    pub reason: String,
}

/// A file that was read: its header, its rows, and the rows that are not readable as text.
#[derive(Debug)]
pub struct Sheet {
    columns: HashMap<Column, (usize, String)>,
    /// Custom fields: the field's name, and its place in a row.
    pub fields: Vec<(String, usize)>,
    /// Columns that the import does not know. What stands in them is not read.
    pub unknown: Vec<String>,
    /// The rows, as far as they are readable.
    pub rows: Vec<Row>,
    /// The rows that are not.
    pub bad: Vec<BadRow>,
}

/// A row of cells, without surrounding spaces.
#[derive(Clone, Debug)]
pub struct Row {
    /// The row as a spreadsheet counts it: the header is row 1.
    pub number: u64,
    cells: Vec<String>,
}

impl Row {
    /// The cell at a place; a row that is too short ends in empty cells.
    pub fn at(&self, place: usize) -> &str {
        self.cells.get(place).map_or("", String::as_str)
    }
}

impl Sheet {
    /// Reads a file. Fails, with a sentence, only if the file as a whole is not one that can be imported.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            return Err("The file is UTF-16 text. Save it as CSV in UTF-8 and import that.".to_owned());
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(separator(bytes)).from_reader(bytes);
        let mut records = reader.byte_records();
        let header = match records.next() {
            Some(Ok(header)) => header,
            Some(Err(error)) => return Err(format!("The file cannot be read as CSV: {error}.")),
            None => return Err("The file is empty.".to_owned()),
        };
        let mut sheet = Self::of_header(&header)?;
        let mut counting = Counting::default();
        counting.next(bytes, &header);
        let mut last = None;
        for record in records {
            let record = record.map_err(|error| format!("The file cannot be read as CSV: {error}."))?;
            let number = counting.next(bytes, &record);
            sheet.take(&header, &record, number);
            last = Some((number, record));
        }
        if let Some((number, record)) = last
            && never_closed(bytes, &record)
        {
            sheet.rows.retain(|row| row.number != number);
            sheet.bad.retain(|bad| bad.row != number);
            sheet.bad.push(BadRow {
                row: number,
                column: String::new(),
                reason: "A quotation mark is opened in this row and never closed, so that everything after it is lost."
                    .to_owned(),
            });
        }
        Ok(sheet)
    }

    /// The cell of a column; empty if the file has no such column.
    pub fn cell<'a>(&self, row: &'a Row, column: Column) -> &'a str {
        self.columns.get(&column).map_or("", |(place, _)| row.at(*place))
    }

    /// The name that a column has in this file.
    pub fn name(&self, column: Column) -> &str {
        match self.columns.get(&column) {
            Some((_, name)) => name,
            None => NAMES.iter().find(|(_, c)| *c == column).map_or("", |(name, _)| name),
        }
    }

    fn of_header(header: &csv::ByteRecord) -> Result<Self, String> {
        let mut sheet = Self {
            columns: HashMap::new(),
            fields: Vec::new(),
            unknown: Vec::new(),
            rows: Vec::new(),
            bad: Vec::new(),
        };
        for (place, cell) in header.iter().enumerate() {
            let name = std::str::from_utf8(cell)
                .map_err(|_| "The header is not UTF-8 text. Save the file as CSV in UTF-8 and import that.".to_owned())?
                .trim();
            if let Some((_, column)) = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
                if let Some((_, other)) = sheet.columns.insert(*column, (place, name.to_owned())) {
                    return Err(format!("The columns {other} and {name} mean the same. Remove one of them."));
                }
            } else if let Some(field) = custom_field(name) {
                if sheet.fields.iter().any(|(other, _)| other.eq_ignore_ascii_case(field)) {
                    return Err(format!("The column {name} is there twice. Remove one of them."));
                }
                sheet.fields.push((field.to_owned(), place));
            } else if !name.is_empty() {
                sheet.unknown.push(name.to_owned());
            }
        }
        if !sheet.columns.contains_key(&Column::Name) {
            return Err("The first row must name the columns, and one of them must be HB.name. Is this a Homebox \
                        export, with commas or tabs between its columns?"
                .to_owned());
        }
        Ok(sheet)
    }

    fn take(&mut self, header: &csv::ByteRecord, record: &csv::ByteRecord, number: u64) {
        let name = |place| header.get(place).map_or_else(String::new, |n| String::from_utf8_lossy(n).trim().to_owned());
        let mut cells = Vec::with_capacity(record.len());
        for (place, cell) in record.iter().enumerate() {
            match std::str::from_utf8(cell) {
                Ok(text) => cells.push(text.trim().replace("\r\n", "\n").replace('\r', "\n")),
                Err(_) => {
                    let reason = "This is not UTF-8 text. Save the file as CSV in UTF-8.".to_owned();
                    return self.bad.push(BadRow { row: number, column: name(place), reason });
                }
            }
        }
        if cells.iter().all(String::is_empty) {
            return;
        }
        if cells.iter().skip(header.len()).any(|cell| !cell.is_empty()) {
            let reason = format!(
                "The row has {} cells, but the header names {}. Perhaps a text with a comma in it lacks its quotation marks.",
                cells.len(),
                header.len()
            );
            return self.bad.push(BadRow { row: number, column: String::new(), reason });
        }
        self.rows.push(Row { number, cells });
    }
}

fn custom_field(name: &str) -> Option<&str> {
    let (prefix, field) = name.split_at_checked(FIELD_PREFIX.len())?;
    (prefix.eq_ignore_ascii_case(FIELD_PREFIX) && !field.trim().is_empty()).then(|| field.trim())
}

/// Tab if the header has one outside quotation marks, comma otherwise.
fn separator(bytes: &[u8]) -> u8 {
    let mut quoted = false;
    for byte in bytes {
        match byte {
            b'"' => quoted = !quoted,
            b'\t' if !quoted => return b'\t',
            b'\n' | b'\r' if !quoted => break,
            _ => {}
        }
    }
    b','
}

/// Whether the file's last record swallowed the rest of the file after a quotation mark: it spans lines, and the marks
/// do not pair up.
fn never_closed(bytes: &[u8], last: &csv::ByteRecord) -> bool {
    bytes.iter().filter(|byte| **byte == b'"').count() % 2 == 1 && newlines(last) > 0
}

fn newlines(record: &csv::ByteRecord) -> u64 {
    record.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64
}

/// Rows as a spreadsheet counts them: a cell of several lines is still one row, and an empty line counts, though the CSV
/// reader passes over it.
#[derive(Default)]
struct Counting {
    records: u64,
    blank: u64,
}

impl Counting {
    fn next(&mut self, bytes: &[u8], record: &csv::ByteRecord) -> u64 {
        let start = record.position().map_or(0, csv::Position::byte);
        self.blank += blank_lines(bytes, usize::try_from(start).unwrap_or(usize::MAX));
        self.records += 1;
        self.records + self.blank
    }
}

/// How many empty lines stand at a place. The second half of the line end before it is not one.
fn blank_lines(bytes: &[u8], at: usize) -> u64 {
    let mut rest = bytes.get(at..).unwrap_or_default();
    if at > 0 && bytes.get(at - 1) == Some(&b'\r') {
        rest = rest.strip_prefix(b"\n").unwrap_or(rest);
    }
    let mut count = 0;
    while let Some(after) = rest.strip_prefix(b"\r\n").or(rest.strip_prefix(b"\n")).or(rest.strip_prefix(b"\r")) {
        rest = after;
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn names(bytes: &[u8]) -> Vec<(u64, String)> {
        let sheet = Sheet::read(bytes).unwrap();
        sheet.rows.iter().map(|row| (row.number, sheet.cell(row, Column::Name).to_owned())).collect()
    }

    #[test]
    fn rows_are_counted_as_a_spreadsheet_does() {
        let wanted = vec![(2, "one".to_owned()), (5, "two\nlines".to_owned()), (6, "three".to_owned())];
        for end in ["\n", "\r\n", "\r"] {
            let text = ["HB.name,HB.notes", "one,x", "", "", "\"two§lines\",y", "three"].join(end).replace('§', end);
            assert_eq!(names(text.as_bytes()), wanted, "{end:?}");
            assert_eq!(names((text + end).as_bytes()), wanted, "{end:?} at the end");
        }
    }

    #[test]
    fn commas_tabs_marks_and_any_order_of_columns() {
        assert_eq!(names("\u{feff}HB.notes,HB.name\nx,\"a, b\"".as_bytes()), [(2, "a, b".to_owned())]);
        assert_eq!(names(b"HB.notes\thb.NAME\nx\ta, b"), [(2, "a, b".to_owned())]);
        assert_eq!(names(b"\"HB.name\",HB.notes\n5\"\" pipe,x"), [(2, "5\"\" pipe".to_owned())]);
    }

    #[test]
    fn unknown_columns_are_told_and_custom_fields_known() {
        let sheet = Sheet::read(b"HB.name,HB.colour,HB.field.Size ,Notes\na,b,c,d").unwrap();
        assert_eq!(sheet.unknown, ["HB.colour", "Notes"]);
        assert_eq!(sheet.fields, [("Size".to_owned(), 2)]);
        assert_eq!(sheet.rows[0].at(2), "c");
    }

    #[test]
    fn a_file_that_is_none_is_refused_with_a_sentence() {
        for (bytes, word) in [
            (&b""[..], "empty"),
            (b"\xff\xfeH\0B\0", "UTF-16"),
            (b"HB.name;HB.notes\na;b", "HB.name"),
            (b"name,notes\na,b", "HB.name"),
            (b"HB.name,HB.tags,HB.labels\na,b,c", "mean the same"),
            (b"HB.name,HB.field.A,HB.field.a\na,b,c", "twice"),
        ] {
            let sentence = Sheet::read(bytes).unwrap_err();
            assert!(sentence.contains(word), "{sentence}");
        }
    }

    #[test]
    fn rows_that_cannot_be_read_are_listed() {
        let sheet = Sheet::read(b"HB.name,HB.notes\n\xff,x\na,b,c\nfine,\n,\nlast,\"open\nfine,x\n").unwrap();
        let bad: Vec<_> = sheet.bad.iter().map(|bad| (bad.row, bad.column.as_str())).collect();
        assert_eq!(bad, [(2, "HB.name"), (3, ""), (6, "")]);
        assert_eq!(sheet.rows.iter().map(|row| row.number).collect::<Vec<_>>(), [4]);
    }
}
