//! Two hundred nasty values on every field of every form: never a failure of ours, always a sentence, and what was typed
//! is kept or shown back escaped.

use lifeops::web::routes;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use reqwest::Method;

use lifeops::app::Clock;

use crate::support::{Dice, FORM, Form, Home, Page, Place, Server, Visitor, audit, encode, words};

/// How many values there are.
const HOW_MANY: usize = 200;

/// A value: how it travels, and how it reads once it has arrived.
#[derive(Clone)]
struct Nasty {
    raw: String,
    text: String,
}

impl Nasty {
    /// Bytes, properly encoded.
    fn bytes(bytes: &[u8]) -> Self {
        Self {
            raw: percent_encode(bytes, NON_ALPHANUMERIC).to_string(),
            text: String::from_utf8_lossy(bytes).into_owned(),
        }
    }

    /// Something that is not proper encoding: it stands for itself.
    fn broken(raw: &str) -> Self {
        let decoded: Vec<u8> = percent_encoding::percent_decode(raw.replace('+', " ").as_bytes()).collect();
        Self { raw: raw.to_owned(), text: String::from_utf8_lossy(&decoded).into_owned() }
    }
}

fn values() -> Vec<Nasty> {
    let mut all: Vec<Nasty> = [
        // Text that somebody might mistake for something else.
        "'; drop table record_events; --",
        "\" or 1=1 --",
        "\\'; select pg_sleep(9); --",
        "%' or '%'='",
        "$1",
        "$2, $3",
        ":name",
        "?1",
        "{{ 7*7 }}",
        "{% raw %}",
        "${7*7}",
        "%s%s%n",
        "<script>alert(1)</script>",
        "</title><script>alert(1)</script>",
        "</textarea><img src=x onerror=alert(1)>",
        "\"><svg onload=alert(1)>",
        "'><b onmouseover=alert(1)>",
        "<!--",
        "]]>",
        "<![CDATA[x]]>",
        "&lt;script&gt;",
        "&amp;",
        "&#0;",
        "&nbsp;",
        "<a href=\"javascript:alert(1)\">x</a>",
        "[x](javascript:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "![x](http://evil.example/p.png)",
        "<style>*{display:none}</style>",
        "<iframe src=//evil.example></iframe>",
        "<form action=//evil.example><button>x",
        "<base href=//evil.example>",
        "<meta http-equiv=refresh content=0>",
        "<input name=version value=9>",
        "autofocus onfocus=alert(1) x=",
        "javascript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "//evil.example",
        "http://[::1",
        "http://a:b@c",
        "file:///etc/passwd",
        "../../../etc/passwd",
        "..\\..\\boot.ini",
        "/dev/null",
        "CON",
        "~root",
        "-rf",
        "$(reboot)",
        "`reboot`",
        "|reboot",
        "\\",
        "\\\\",
        "/",
        "//",
        ".",
        "..",
        "*",
        "%",
        "_",
        "\"",
        "'",
        "''",
        "`",
        "#",
        "@",
        "!",
        "=",
        "==",
        "&",
        ";",
        ",",
        ",,,,",
        ", ,",
        "null",
        "NULL",
        "undefined",
        "nil",
        "None",
        "true",
        "false",
        "NaN",
        "Infinity",
        "-Infinity",
        "[]",
        "{}",
        "{\"a\":1}",
        "[object Object]",
        // Numbers, money and dates at their edges.
        "0",
        "-0",
        "-1",
        "-0.01",
        "+1",
        "1.",
        ".1",
        "1..2",
        "1,5",
        "1.234,56",
        "1,234.56",
        "1 234,56",
        "1e9",
        "1e999",
        "0x10",
        "0b1",
        "007",
        "٣",
        "１２",
        "½",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775809",
        "340282366920938463463374607431768211456",
        "0.0000000000000000000000001",
        "99999999999999999999999999999999999999.99",
        "1.005",
        "€5",
        "5 €",
        "-5 EUR",
        "EUR",
        "eur",
        "XXX",
        "ZZZ",
        "€",
        "$",
        "0",
        "0000",
        "0 0 0",
        "0000-00-00",
        "0001-01-01",
        "1 1 0",
        "-0001-01-01",
        "9999-12-31",
        "10000-01-01",
        "31 2 2020",
        "29 2 1900",
        "1 13 2020",
        "32 1 2020",
        "2020-W10",
        "2020-366",
        "today",
        "TODAY",
        "yesterday",
        "tomorrow",
        "now",
        "31 12 9999",
        "1/2/3",
        "1-2-3",
        "2020-01-01T00:00:00Z",
        "2020-01-01T25:61",
        "24:00",
        "23:60",
        "-1:00",
        "7 pm",
        "noon",
        // Characters that cannot be seen, or not where they are.
        "\u{200b}",
        "\u{feff}",
        "\u{202e}gnirts desrever",
        "\u{2066}isolate\u{2069}",
        "a\u{200d}b",
        "\u{0301}\u{0301}\u{0301}",
        "\u{00ad}",
        "\u{2028}",
        "\u{2029}",
        "\u{0085}",
        "\u{00a0}",
        "\u{3000}",
        "\u{115f}",
        "\u{e000}",
        "\u{fffe}",
        "\u{ffff}",
        "\u{10ffff}",
        "\u{fffd}",
        "👨‍👩‍👧‍👦",
        "🏳️‍🌈",
        "Z̷̢͓͎a̸̛̝l̶̳̈́g̵̹̈́o̷̱͝",
        "ﷺ",
        "ﬃ",
        "İ",
        "ı",
        "ß",
        "ẞ",
        "Å",
        "Å",
        "Ω",
        "שלום",
        "مرحبا",
        "日本語",
        "ไทย",
        "𝒜𝓃𝒶",
        // White space and line ends.
        "",
        " ",
        "   ",
        "\t",
        "\n",
        "\r",
        "\r\n",
        "\n\n\n",
        " a ",
        "a\tb",
        "a\nb",
        "a\r\nb",
        "a\rb",
        "\n a",
    ]
    .iter()
    .map(|text| Nasty::bytes(text.as_bytes()))
    .collect();
    // Bytes that are not text, NUL and the other control characters.
    let bytes: &[&[u8]] = &[
        b"\0",
        b"a\0b",
        b"\x01",
        b"\x08",
        b"\x1b[31m",
        b"\x7f",
        b"\xc2\x80",
        b"\xc2\x9f",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xed\xa0\xbd\xed\xb8\x80",
        b"\xc0\x80",
        b"\xff",
        b"\xfe\xff",
        b"\xf8\x88\x80\x80\x80",
        b"\xf4\x90\x80\x80",
        b"\xe2\x82",
        b"ok\xffok",
        b"\x80",
    ];
    all.extend(bytes.iter().map(|bytes| Nasty::bytes(bytes)));
    // Encodings that are none.
    all.extend(
        ["%", "%%", "%z", "%zz", "%4", "a%", "%u0041", "%C3%28", "%00%00", "a+b", "+", "%2", "=%3D=", "%ED%A0%80"]
            .map(Nasty::broken),
    );
    // Too long, in one word, in many, and in bytes rather than characters.
    all.push(Nasty::bytes("x".repeat(1_048_576).as_bytes()));
    for text in [
        "x".repeat(201),
        "x".repeat(70_000),
        "word ".repeat(20_000),
        "ж".repeat(200),
        "ж".repeat(201),
        "\u{0301}".repeat(300),
        "<b>".repeat(5_000),
        "9".repeat(400),
        "[".repeat(3_000),
        "> ".repeat(2_000),
        "*_".repeat(3_000),
        "\u{202e}".repeat(100),
    ] {
        all.push(Nasty::bytes(text.as_bytes()));
    }
    // The rest at random, of pieces that hurt.
    let mut dice = Dice::new("nasty");
    let pieces = [
        "<",
        ">",
        "\"",
        "'",
        "&",
        "\0",
        "\u{202e}",
        "\u{200b}",
        "é",
        "e\u{0301}",
        "\n",
        " ",
        "%",
        "\\",
        "-1",
        "1e5",
        "🦀",
        "--",
        ";",
        "{",
        "}",
    ];
    while all.len() < HOW_MANY {
        let text: String = (0..1 + dice.below(12)).map(|_| pieces[dice.below(pieces.len() as u64) as usize]).collect();
        all.push(Nasty::bytes(text.as_bytes()));
    }
    all
}

/// How a text looks after the way through a form and an HTML parser: line ends become one kind (and vanish in a control
/// of one line), NUL a replacement character.
fn as_typed(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").replace(['\n', '\u{0}', '\u{fffd}'], "")
}

/// Insists on what holds for every answer to anything.
#[track_caller]
fn decent(page: &Page, what: &str) {
    let statuses = [200, 303, 400, 401, 403, 404, 405, 409, 413, 415, 422, 429];
    assert!(statuses.contains(&page.status), "{what}: {} {}", page.status, short(&page.text()));
    if page.status == 303 || page.body.is_empty() {
        return;
    }
    assert!(page.status == 200 || page.text().len() > 20, "{what}: {} without a sentence", page.status);
    assert!(
        page.all("script:not([src]), iframe, base, meta[http-equiv], style, object").is_empty(),
        "{what}: markup got through"
    );
    for attribute in ["onerror", "onload", "onmouseover", "onfocus", "onclick", "style"] {
        assert!(page.attributes(&format!("[{attribute}]"), attribute).is_empty(), "{what}: {attribute} got through");
    }
    for (css, attribute) in [("a", "href"), ("img", "src"), ("form", "action")] {
        for address in page.attributes(css, attribute) {
            let address = address.trim().to_lowercase();
            let bad = ["javascript:", "data:", "vbscript:", "file:"].iter().any(|scheme| address.starts_with(scheme));
            let ours = css != "form" || address.is_empty() || address.starts_with('/');
            assert!(ours && !bad, "{what}: {address}");
        }
    }
}

fn short(text: &str) -> String {
    text.chars().take(300).collect()
}

/// Presses a button of a filled form with one field replaced by a nasty value.
async fn press(visitor: &Visitor, form: &Form, button: &str, field: &str, value: &Nasty) -> Page {
    let (action, entries) = form.entries(button);
    let mut others: Vec<(String, String)> = entries.into_iter().filter(|(name, _)| name != field).collect();
    if field != "submission" && form.has("submission") {
        others.retain(|(name, _)| name != "submission");
        others.push(("submission".to_owned(), uuid::Uuid::now_v7().to_string()));
    }
    let body = format!(
        "{}&{}={}",
        encode(&others),
        encode(&[(field.to_owned(), String::new())]).trim_end_matches('='),
        value.raw
    );
    if form.method == "post" {
        visitor.ask(Method::POST, &action, Some(FORM), body.into_bytes()).await
    } else if body.len() < 8_000 {
        visitor.get(&format!("{}?{}", action.split('?').next().unwrap_or_default(), body.trim_start_matches('&'))).await
    } else {
        visitor.get(&action).await
    }
}

/// Adds a note and returns its event.
async fn added(home: &Home, record: &str) -> String {
    let form = home.ana.open(record).await.form(words::NOTE).fill("text", "Descaled");
    let to = home.ana.press(&form, words::NOTE).await.expect_redirect();
    to.split("new=").nth(1).unwrap().to_owned()
}

/// Every value on every one of these fields. Returns what was accepted: field, value, answer.
async fn torment(visitor: &Visitor, form: &Form, button: &str, fields: &[&str]) -> Vec<(String, Nasty, Page)> {
    let mut accepted = Vec::new();
    let values = values();
    assert!(values.len() >= HOW_MANY);
    for field in fields {
        for value in &values {
            let page = press(visitor, form, button, field, value).await;
            let what = format!("{field}={:?} to {}", short(&value.raw), form.action);
            decent(&page, &what);
            match page.status {
                303 => accepted.push(((*field).to_owned(), value.clone(), page)),
                400 | 413 | 422 => refused(&page, form, button, field, value, &what),
                _ => {}
            }
        }
    }
    accepted
}

/// A refusal has a sentence, and the form with what was typed.
#[track_caller]
fn refused(page: &Page, form: &Form, button: &str, field: &str, value: &Nasty, what: &str) {
    let summary = page.summary();
    assert!(
        summary.iter().any(|(sentence, _)| sentence.len() > 8),
        "{what}: no error summary: {}",
        short(&page.text())
    );
    let again = page.find_form(button).unwrap_or_else(|| panic!("{what}: the form is gone: {}", short(&page.text())));
    for (sentence, href) in &summary {
        let id = href.trim_start_matches('#');
        let there = id.is_empty() || !page.attributes(&format!("[id=\"{id}\"]"), "id").is_empty();
        assert!(there, "{what}: “{sentence}” leads to {href}, which is not there");
    }
    for control in form.controls.iter().filter(|c| matches!(c.kind.as_str(), "text" | "textarea" | "email")) {
        if !again.has(&control.name) {
            continue; // a question asked in between carries the rest on
        }
        if control.name == field {
            let kept = again.value(field);
            assert_eq!(as_typed(&kept), as_typed(&value.text), "{what}: what was typed is not kept");
        }
    }
}

/// White space and what else nobody sees, which may go from both ends of a text.
fn unseen(c: char) -> bool {
    use icu_properties::CodePointSetData;
    use icu_properties::props::DefaultIgnorableCodePoint;
    c.is_whitespace() || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// What was accepted is shown back as it was, but for the ends and composed (NFC).
async fn shown_back(
    visitor: &Visitor,
    accepted: &[(String, Nasty, Page)],
    form_of: impl Fn(&str) -> String,
    button: &str,
    fields: &[&str],
) {
    let nfc = icu_normalizer::ComposingNormalizerBorrowed::new_nfc();
    for (field, value, page) in accepted {
        let to = page.header("location");
        let shown = visitor.open(to).await;
        decent(&shown, &format!("{field}={:?} shown on {to}", short(&value.raw)));
        if fields.contains(&field.as_str()) {
            let form = visitor.open(&form_of(to)).await.form(button);
            let kept = form.value(field);
            let typed = value.text.replace("\r\n", "\n").replace('\r', "\n");
            let bare = |text: &str| text.trim_matches(unseen).to_owned();
            assert_eq!(bare(&kept), bare(&nfc.normalize(&typed.replace('\t', " "))), "{field}={:?}", short(&value.raw));
        }
    }
}

both_engines! {
    async fn a_new_record(engine: Engine) {
        let home = Home::start(engine).await;
        let form = home.ana.open("/records/new").await.form(words::NEW);
        let form = form.fill("title", "Kettle").fill("field_name", "Bought").fill("field_value", "2020");
        let fields = [
            "submission", "title", "category", "occurred", "occurred_time", "description", "field_name", "field_type", "field_value",
            "tags", "visibility",
        ];
        for field in fields {
            assert!(form.has(field), "there is a control {field}");
        }
        let accepted = torment(&home.ana, &form, words::NEW, &fields).await;
        let edit = |to: &str| format!("{}/edit", to.split('?').next().unwrap_or_default());
        let sample: Vec<_> = accepted.into_iter().filter(|(field, ..)| field != "submission").collect();
        shown_back(&home.ana, &sample, edit, words::SAVE, &["title", "description"]).await;
        home.ben.open("/records").await;
        audit(&home.server.app).await;
    }

    async fn kinds_of_facts(engine: Engine) {
        let home = Home::start(engine).await;
        for kind in ["number", "date", "money", "link"] {
            let form = home.ana.open("/records/new").await.form(words::NEW);
            let form = form.fill("title", kind).fill("field_name", "Fact").fill("field_type", kind);
            for (.., page) in torment(&home.ana, &form, words::NEW, &["field_value"]).await {
                decent(&home.ana.open(page.header("location")).await, kind);
            }
        }
        audit(&home.server.app).await;
    }

    async fn a_changed_record(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Kettle", &[]).await;
        let form = home.ana.open(&format!("{record}/edit")).await.form(words::SAVE);
        torment(&home.ana, &form, words::SAVE, &["submission", "version", "meaning", "occurred", "occurred_time", "title", "description"]).await;
        decent(&home.ana.open(&record).await, "the record after it");
        decent(&home.ana.open(&format!("{record}/history")).await, "its history");
        audit(&home.server.app).await;
    }

    async fn a_note(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Kettle", &[]).await;
        let form = home.ana.open(&record).await.form(words::NOTE);
        let form = form.fill("text", "Descaled").fill("amount", "5").fill("currency", "EUR").fill("reading", "7").fill("unit", "km");
        let fields = ["submission", "text", "occurred", "occurred_time", "amount", "currency", "reading", "unit"];
        torment(&home.ana, &form, words::NOTE, &fields).await;
        torment(&home.ana.htmx(), &form, words::NOTE, &["text"]).await;
        let mut path = home.ana.open(&record).await.path;
        let mut pages = 0;
        while let Some(older) = { let page = home.ana.open(&path).await; decent(&page, &path); page.find_link("Older") } {
            path = older;
            pages += 1;
            assert!(pages < 500, "the pages of the history end");
        }
        audit(&home.server.app).await;
    }

    async fn a_reason(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Kettle", &[]).await;
        for value in values() {
            let page = home.ana.open(&format!("{record}/delete")).await;
            let form = page.form(words::DELETE);
            let page = press(&home.ana, &form, words::DELETE, "reason", &value).await;
            decent(&page, &format!("reason {:?}", short(&value.raw)));
            if page.status == 303 {
                let deleted = home.ana.open(&record).await;
                decent(&deleted, "a deleted record");
                home.ana.submit(&deleted.form(words::RESTORE), words::RESTORE).await;
            } else {
                refused(&page, &form, words::DELETE, "reason", &value, "reason");
            }
        }
        audit(&home.server.app).await;
    }

    async fn filters_and_addresses(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Kettle", &[]).await;
        for value in values().into_iter().filter(|value| value.raw.len() < 8_000) {
            for path in [
                format!("/records?category={}", value.raw), format!("/records?tag={}", value.raw), format!("/records?deleted={}", value.raw),
                format!("/records?after={0}&before={0}&newer={0}&older={0}&cursor={0}&page={0}", value.raw),
                format!("{record}?at={0}&new={0}&before={0}&after={0}&older={0}&newer={0}", value.raw),
                format!("{record}/history?before={0}&after={0}", value.raw), format!("{record}/history?before={0}~{0}~{0}", value.raw),
                format!("{record}/history?before=2020~{0}~1", value.raw), format!("{record}/history?after={0}~1~1", value.raw),
                format!("{record}/history/field?key={0}&before={0}", value.raw), format!("{record}/history/field?key=title&before={0}", value.raw),
                format!("/sign-in?next={}", value.raw), format!("/setup?code={}", value.raw),
            ] {
                decent(&home.ana.get(&path).await, &path);
            }
            let nobody = home.server.visitor();
            decent(&nobody.get(&format!("/sign-in?next={}", value.raw)).await, "next");
            if !value.raw.contains(['/', '.', ';']) && !value.raw.is_empty() {
                for path in [format!("/records/{}", value.raw), format!("{record}/{}", value.raw), format!("/assets/{}", value.raw), format!("/{}", value.raw)] {
                    decent(&home.ana.get(&path).await, &path);
                }
            }
        }
    }

    async fn accounts(engine: Engine) {
        let home = Home::start(engine).await;
        let mut forms = Vec::new();
        for path in ["/account", "/account/security", "/account/second-factor"] {
            forms.extend(home.ana.open(path).await.forms().into_iter().filter(|f| f.action.starts_with("/account")));
        }
        for form in &forms {
            let button = form.button_words().pop().unwrap();
            for field in form.fillable() {
                // A password is hashed with care, and so slowly: a few of those will do.
                let some = if field.contains("password") || form.has("password") || form.has("current") { 20 } else { HOW_MANY };
                for value in values().iter().take(some) {
                    let page = press(&home.ana, form, &button, &field, value).await;
                    decent(&page, &format!("{field}={:?} to {}", short(&value.raw), form.action));
                }
            }
        }
        decent(&home.ana.open("/account").await, "the account after it");
        decent(&home.ben.open("/records").await, "what Ben sees after it");
        audit(&home.server.app).await;
    }

    async fn the_household(engine: Engine) {
        let home = Home::start(engine).await;
        let ben = crate::household::path_of(&home, "Ben").await;
        for (path, button, fields) in [
            ("/household".to_owned(), "Save name", &["submission", "name"][..]),
            (ben.clone(), "Save role", &["submission", "role"]),
            (format!("{ben}/disable"), "Disable Ben", &["submission"]),
            (format!("{ben}/remove"), "Remove Ben", &["submission"]),
            ("/household/invitations/new".to_owned(), "Make the link", &["submission", "role", "days"]),
        ] {
            let form = home.ana.open(&path).await.form(button);
            for (field, value, page) in torment(&home.ana, &form, button, fields).await {
                let to = page.header("location");
                decent(&home.ana.open(to).await, &format!("{field}={:?} shown on {to}", short(&value.raw)));
            }
        }
        for value in values().into_iter().filter(|value| value.raw.len() < 8_000) {
            for path in ["/household?done={}", "/household/log?before={}", "/household/invitations/made?key={}"] {
                let path = path.replace("{}", &value.raw);
                decent(&home.ana.get(&path).await, &path);
            }
        }
        audit(&home.server.app).await;
    }

    async fn an_invitation(engine: Engine) {
        let home = Home::start(engine).await;
        let link = crate::invitations::invite(&home.ana, "viewer").await;
        let nobody = home.server.visitor();
        let form = nobody.open(&link).await.form("Join");
        for field in ["name", "email", "zone"] {
            for value in values() {
                // Without a password nobody joins, so every value is judged as text alone.
                let page = press(&nobody, &form, "Join", field, &value).await;
                let what = format!("join {field}={:?}", short(&value.raw));
                decent(&page, &what);
                assert_ne!(page.status, 303, "{what}");
                if page.status == 422 && field != "zone" {
                    refused(&page, &form, "Join", field, &value, &what);
                }
            }
        }
        for value in values().into_iter().filter(|value| value.raw.len() < 8_000 && !value.raw.contains(['/', '.', ';', '#', '?'])) {
            let visitor = home.server.visitor();
            visitor.set_cookie("lifeops-invitation", &value.raw.replace(|c: char| !c.is_ascii_graphic(), ""));
            for path in [format!("/invitations/{}", value.raw), "/invitations/accept".to_owned()] {
                decent(&visitor.with_header("x-nasty", "1").get(&path).await, &path);
            }
        }
    }

    async fn sign_in_and_register(engine: Engine) {
        let home = Home::start(engine).await;
        for (path, button, field_list) in [
            ("/sign-in", "Sign in", &["email"][..]),
            ("/register", "Register", &["household", "name", "email", "zone"][..]),
        ] {
            let nobody = home.server.visitor();
            let form = nobody.open(path).await.form(button);
            for field in field_list.iter().filter(|field| form.has(field)) {
                for value in values() {
                    // Without a password nobody gets in, so every value is judged as text alone.
                    let page = press(&home.server.visitor(), &form, button, field, &value).await;
                    decent(&page, &format!("{path} {field}={:?}", short(&value.raw)));
                    assert_ne!(page.status, 303, "{path} {field}={:?}", short(&value.raw));
                    if page.status == 422 && *field != "zone" {
                        refused(&page, &form, button, field, &value, path);
                    }
                }
            }
        }
    }

    async fn the_way_in_and_what_it_carries(engine: Engine) {
        let home = Home::start(engine).await;
        let nobody = home.server.visitor();
        let sign_in = nobody.open("/sign-in").await.form("Sign in").force("parked", "").force("next", "");
        let step = sign_in.clone().force("first_step", "").force("code", "");
        let told = sign_in.clone().force("seen", "");
        for value in values() {
            for field in ["next", "parked"] {
                let page = press(&nobody, &sign_in, "Sign in", field, &value).await;
                decent(&page, &format!("sign-in {field}={:?}", short(&value.raw)));
                assert_ne!(page.status, 303, "without a password nobody gets in");
            }
            for field in ["first_step", "code", "parked", "next"] {
                let mut step = step.clone();
                "/sign-in/code".clone_into(&mut step.action);
                let page = press(&nobody, &step, "Sign in", field, &value).await;
                decent(&page, &format!("code {field}={:?}", short(&value.raw)));
                assert_ne!(page.status, 303, "without a first step nobody gets in");
            }
            for field in ["seen", "parked", "next"] {
                let mut told = told.clone();
                "/account/told".clone_into(&mut told.action);
                let page = press(&home.ana, &told, "Sign in", field, &value).await;
                decent(&page, &format!("told {field}={:?}", short(&value.raw)));
            }
            // Turned away with anything at all, a form is carried or said to be lost.
            let body = format!("text={}", value.raw).into_bytes();
            let page = nobody.ask(Method::POST, "/records/new", Some(FORM), body).await;
            decent(&page, &format!("turned away {:?}", short(&value.raw)));
            assert!(matches!(page.status, 303 | 403), "{}", page.status);
            if value.raw.len() < 8_000 && !value.raw.contains(['/', '.', ';']) {
                decent(&nobody.get(&format!("/reset/{}", value.raw)).await, "a link");
            }
        }
        // A new password by a link: what is typed is never shown back.
        let email = lifeops::domain::person::Email::parse("ana@home.example").unwrap();
        let token = lifeops::commands::resets::make_link(&home.server.app, &email).await.unwrap();
        nobody.get(&format!("/reset/{token}")).await.expect(303);
        let form = nobody.open("/reset").await.form("Set password");
        for value in values().iter().filter(|value| value.text.chars().count() < 8) {
            decent(&press(&nobody, &form, "Set password", "new", value).await, "a short password");
        }
    }

    async fn a_correction(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Kettle", &[]).await;
        let note = added(&home, &record).await;
        let form = home.ana.open(&format!("{record}/notes/{note}/edit")).await.form(words::CORRECT);
        torment(&home.ana, &form, words::CORRECT, &["version", "occurred", "amount", "currency", "unit", "text"]).await;
        decent(&home.ana.open(&record).await, "a record after it");
        audit(&home.server.app).await;
    }

    async fn why_something_is_undone(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Kettle", &[]).await;
        for value in values() {
            let note = added(&home, &record).await;
            let page = home.ana.open(&format!("{record}/events/{note}/undo")).await;
            let form = page.forms().into_iter().find(|form| form.action.ends_with("/undo")).unwrap();
            let button = form.button_words().pop().unwrap();
            let page = press(&home.ana, &form, &button, "reason", &value).await;
            let what = format!("undo reason {:?}", short(&value.raw));
            decent(&page, &what);
            if page.status != 303 {
                refused(&page, &form, &button, "reason", &value, &what);
            }
        }
        decent(&home.ana.open(&format!("{record}/history")).await, "the whole story after it");
        audit(&home.server.app).await;
    }

    async fn what_was_seen(engine: Engine) {
        let home = Home::start(engine).await;
        home.create(&home.ana, "Kettle", &[]).await;
        let form = home.ben.open("/").await.form("Seen: Kettle");
        for field in ["record", "upto"] {
            for value in values() {
                let page = press(&home.ben, &form, "Seen: Kettle", field, &value).await;
                let what = format!("{field}={:?} to /seen", short(&value.raw));
                decent(&page, &what);
                assert!(matches!(page.status, 303 | 400 | 404 | 413 | 422), "{what}: {}", page.status);
            }
        }
        decent(&home.ben.open("/").await, "the start page after it");
        audit(&home.server.app).await;
    }

    async fn to_whom_a_record_is_handed(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Kettle", &[]).await;
        let form = home.ana.open(&format!("{record}/hand-over")).await.form(words::HAND_OVER);
        let accepted = torment(&home.ana, &form, words::HAND_OVER, &["submission", "to"]).await;
        assert!(accepted.is_empty(), "nobody of such a name lives here");
        home.ana.open(&record).await.expect_words("You keep it");
        audit(&home.server.app).await;
    }

    async fn the_first_form_of_all(engine: Engine) {
        let server = Server::start(Place::empty(engine).await, Clock::System).await;
        let path = lifeops::commands::accounts::set_up_path(&server.app).await.unwrap().unwrap();
        let form = server.visitor().open(&path).await.form("Set up");
        for field in ["household", "name", "email", "zone", "code"] {
            for value in values() {
                // Without a password nothing is set up, so every value is judged as text alone.
                let page = press(&server.visitor(), &form, "Set up", field, &value).await;
                decent(&page, &format!("set-up {field}={:?}", short(&value.raw)));
                assert_ne!(page.status, 303, "set-up {field}={:?}", short(&value.raw));
                if page.status == 422 && ["household", "name", "email"].contains(&field) {
                    refused(&page, &form, "Set up", field, &value, "set-up");
                }
            }
        }
    }

    async fn broken_bodies_on_every_form(engine: Engine) {
        let home = Home::start(engine).await;
        let record = home.create(&home.ana, "Kettle", &[]).await;
        home.note(&home.ana, &record, "Descaled").await;
        let id = record.rsplit('/').next().unwrap().to_owned();
        let many = "a=b&".repeat(20_000);
        let bodies: &[&[u8]] = &[
            b"", b"&&&&&&", b"=", b"===", b"%", b"%=%", b"title", b"title=%&title", b"a=b=c&d", b"\0\0\0", b"\xff\xfe\xfd", b"{\"title\":\"x\"}",
            b"--x\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nx\r\n--x--\r\n", b"submission=", b"submission=x&title=y", b"submission[]=1&title[]=2",
            b"title=a&title=b&title=c&version=1&version=2", many.as_bytes(),
        ];
        let types = [Some(FORM), None, Some("application/json"), Some("multipart/form-data; boundary=x"), Some("text/plain"), Some("application/x-www-form-urlencoded; charset=utf-16"), Some("\u{fffd}")];
        for route in routes::table().iter().filter(|route| route.method == "POST" && route.path != "/sign-out") {
            let path = route.path.replace("{id}", &id).replace("{record}", &id);
            let path = path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect::<Vec<_>>().join("/");
            for body in bodies {
                for media in types {
                    let media = media.filter(|m| m.is_ascii());
                    let page = home.ana.ask(Method::POST, &path, media, body.to_vec()).await;
                    decent(&page, &format!("{path} with {media:?} {:?}", short(&String::from_utf8_lossy(body))));
                }
            }
            let page = home.ana.try_ask(Method::POST, &path, Some(FORM), vec![b'a'; 9 * 1024 * 1024]).await;
            if let Ok(page) = page {
                assert!(matches!(page.status, 413 | 404 | 422), "{path} took 9 MB: {}", page.status);
                decent(&page, &path);
            }
        }
        home.ana.open(&record).await.expect_words("Kettle");
        audit(&home.server.app).await;
    }
}
