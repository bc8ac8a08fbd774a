//! Forms, read from the page and sent as a text browser would send them (HTML Standard, "constructing the entry list").

use std::borrow::Cow;

use scraper::{ElementRef, Html};

use super::page::{element_text, selector};

/// One control of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// Its name.
    pub name: String,
    /// `text`, `hidden`, `checkbox`, `radio`, `textarea`, `select`, … or `button` for what submits.
    pub kind: String,
    /// Its value; of a select the chosen one.
    pub value: String,
    /// Whether a checkbox or radio button is chosen. Of everything else: yes.
    pub chosen: bool,
    /// The words on a button.
    pub words: String,
    /// The values that a select offers.
    pub options: Vec<String>,
    /// Where this button sends the form, if not to the form's own action.
    pub action: Option<String>,
}

/// A form with its controls in document order.
#[derive(Clone, Debug)]
pub struct Form {
    /// The path that it leads to.
    pub action: String,
    /// `get` or `post`.
    pub method: String,
    /// Its controls.
    pub controls: Vec<Control>,
    /// Whether it is sent in parts, as forms are that bring files.
    pub in_parts: bool,
    /// The files that were chosen: control, name, bytes.
    pub chosen: Vec<(String, String, Vec<u8>)>,
}

impl Form {
    /// The forms of a page.
    pub fn all(html: &Html, path: &str) -> Vec<Self> {
        let forms = selector("form");
        html.select(&forms).map(|form| Self::read(html, form, path)).collect()
    }

    fn read(html: &Html, form: ElementRef<'_>, path: &str) -> Self {
        let here = path.split('#').next().unwrap_or_default();
        let action = match form.attr("action") {
            None | Some("") => here.to_owned(),
            Some(action) => action.to_owned(),
        };
        let controls = selector("input, textarea, select, button");
        let id = form.attr("id");
        let controls: Vec<Control> = html
            .select(&controls)
            .filter(|control| match control.attr("form") {
                Some(owner) => Some(owner) == id,
                None => control.ancestors().any(|a| a.id() == form.id()),
            })
            .filter(|control| !disabled(*control))
            .filter_map(Control::read)
            .collect();
        // What was typed has to arrive first, and so has to stand first.
        let after = controls.iter().skip_while(|c| c.kind != "file");
        let late: Vec<_> = after.filter(|c| !matches!(c.kind.as_str(), "file" | "button")).map(|c| &c.name).collect();
        assert!(late.is_empty(), "in the form to {action} {late:?} stand behind the files");
        Self {
            action,
            method: form.attr("method").unwrap_or("get").to_ascii_lowercase(),
            controls,
            in_parts: form.attr("enctype") == Some("multipart/form-data"),
            chosen: Vec::new(),
        }
    }

    /// Chooses a file.
    #[track_caller]
    pub fn choose(mut self, name: &str, file_name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let takes = self.controls.iter().any(|c| c.name == name && c.kind == "file");
        assert!(takes && self.in_parts, "the form to {} takes no file as {name}", self.action);
        self.chosen.push((name.to_owned(), file_name.to_owned(), bytes.into()));
        self
    }

    /// Unticks a box.
    #[track_caller]
    pub fn untick(mut self, name: &str, value: &str) -> Self {
        let found = self.controls.iter_mut().find(|c| c.name == name && c.value == value);
        found.unwrap_or_else(|| panic!("{name} has no box for {value}")).chosen = false;
        self
    }

    /// What is sent of the form in parts: the boundary and the body (RFC 7578). A file input without a file sends an empty
    /// one, as browsers do.
    #[track_caller]
    pub fn parts(&self, button: &str) -> (String, String, Vec<u8>) {
        let (action, entries) = self.entries(button);
        let boundary = "----lifeops-test-boundary".to_owned();
        let mut body = Vec::new();
        let file_inputs: Vec<&str> =
            self.controls.iter().filter(|c| c.kind == "file").map(|c| c.name.as_str()).collect();
        for (name, value) in entries.iter().filter(|(name, _)| !file_inputs.contains(&name.as_str())) {
            part(&mut body, &boundary, &format!("name=\"{name}\""), "", value.as_bytes());
        }
        for (name, file_name, bytes) in &self.chosen {
            let escaped = file_name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
            let disposition = format!("name=\"{name}\"; filename=\"{escaped}\"");
            part(&mut body, &boundary, &disposition, "Content-Type: application/octet-stream\r\n", bytes);
        }
        if self.chosen.is_empty() {
            for name in file_inputs {
                let disposition = format!("name=\"{name}\"; filename=\"\"");
                part(&mut body, &boundary, &disposition, "Content-Type: application/octet-stream\r\n", b"");
            }
        }
        body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        (action, format!("multipart/form-data; boundary={boundary}"), body)
    }

    /// The words on its buttons.
    pub fn button_words(&self) -> Vec<String> {
        self.controls.iter().filter(|c| c.kind == "button").map(|c| c.words.clone()).collect()
    }

    /// The names of the controls that a person can fill in, each once, in order.
    pub fn fillable(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for control in &self.controls {
            if !matches!(control.kind.as_str(), "hidden" | "button") && !names.contains(&control.name) {
                names.push(control.name.clone());
            }
        }
        names
    }

    /// Whether there is a control of this name.
    pub fn has(&self, name: &str) -> bool {
        self.controls.iter().any(|c| c.name == name)
    }

    /// What a control holds at the moment.
    #[track_caller]
    pub fn value(&self, name: &str) -> String {
        let found = self.controls.iter().find(|c| c.name == name && c.chosen);
        found
            .unwrap_or_else(|| panic!("the form to {} has no control {name}: {:?}", self.action, self.names()))
            .value
            .clone()
    }

    /// What all controls of a name hold at the moment.
    pub fn values(&self, name: &str) -> Vec<String> {
        self.controls.iter().filter(|c| c.name == name && c.chosen).map(|c| c.value.clone()).collect()
    }

    /// Types into a control, chooses an option of a select or a radio button, or ticks the checkbox with this value.
    #[track_caller]
    pub fn fill(self, name: &str, value: &str) -> Self {
        self.fill_nth(name, 0, value)
    }

    /// The same for the *n*th control of a name, from 0.
    #[track_caller]
    pub fn fill_nth(mut self, name: &str, n: usize, value: &str) -> Self {
        let names = self.names();
        let same: Vec<&mut Control> = self.controls.iter_mut().filter(|c| c.name == name).collect();
        let Some(kind) = same.first().map(|c| c.kind.clone()) else {
            panic!("the form to {} has no control {name}: {names:?}", self.action)
        };
        match kind.as_str() {
            "radio" => {
                let offered: Vec<_> = same.iter().map(|c| c.value.clone()).collect();
                assert!(offered.iter().any(|v| v == value), "{name} does not offer {value}, only {offered:?}");
                same.into_iter().for_each(|c| c.chosen = c.value == value);
            }
            "checkbox" => {
                let found = same.into_iter().find(|c| c.value == value);
                found.unwrap_or_else(|| panic!("{name} has no box for {value}")).chosen = true;
            }
            _ => {
                let control = same.into_iter().nth(n).unwrap_or_else(|| panic!("there is no {name} number {n}"));
                if control.kind == "select" {
                    assert!(control.options.iter().any(|o| o == value), "{name} offers {:?}", control.options);
                }
                value.clone_into(&mut control.value);
            }
        }
        self
    }

    /// Sets a control past what a browser would allow, adding it if need be.
    pub fn force(mut self, name: &str, value: &str) -> Self {
        self.controls.retain(|c| c.name != name || c.kind == "button");
        self.controls.push(Control { name: name.to_owned(), value: value.to_owned(), ..Control::plain("text") });
        self
    }

    /// What is sent when this button is pressed: where to, and the pairs in order.
    #[track_caller]
    pub fn entries(&self, button: &str) -> (String, Vec<(String, String)>) {
        let buttons: Vec<(usize, &Control)> =
            self.controls.iter().enumerate().filter(|(_, c)| c.kind == "button").collect();
        let exact = buttons.iter().find(|(_, c)| c.words == button);
        let pressed = exact.or_else(|| buttons.iter().find(|(_, c)| c.words.contains(button)));
        let (pressed, control) = *pressed.unwrap_or_else(|| panic!("no button “{button}”: {:?}", self.button_words()));
        let entries = self
            .controls
            .iter()
            .enumerate()
            .filter(|(n, c)| !c.name.is_empty() && c.chosen && (c.kind != "button" || *n == pressed))
            .map(|(_, c)| (c.name.clone(), with_crlf(&c.value).into_owned()))
            .collect();
        (control.action.clone().unwrap_or_else(|| self.action.clone()), entries)
    }

    fn names(&self) -> Vec<String> {
        self.controls.iter().map(|c| c.name.clone()).collect()
    }
}

impl Control {
    fn plain(kind: &str) -> Self {
        Self {
            name: String::new(),
            kind: kind.to_owned(),
            value: String::new(),
            chosen: true,
            words: String::new(),
            options: Vec::new(),
            action: None,
        }
    }

    fn read(element: ElementRef<'_>) -> Option<Self> {
        let tag = element.value().name();
        let kind = match tag {
            "input" => element.attr("type").unwrap_or("text").to_ascii_lowercase(),
            "button" => element.attr("type").unwrap_or("submit").to_ascii_lowercase(),
            other => other.to_owned(),
        };
        let mut control = Self::plain(&kind);
        control.name = element.attr("name").unwrap_or_default().to_owned();
        control.value = element.attr("value").unwrap_or_default().to_owned();
        match kind.as_str() {
            "reset" => return None,
            "button" => return None, // does nothing without a script
            "submit" | "image" => {
                control.words = if tag == "button" { element_text(element) } else { control.value.clone() };
                control.kind = "button".to_owned();
                control.action = element.attr("formaction").map(str::to_owned);
            }
            "checkbox" | "radio" => {
                control.chosen = element.attr("checked").is_some();
                if element.attr("value").is_none() {
                    control.value = "on".to_owned();
                }
            }
            "textarea" => control.value = element.text().collect(),
            "select" => {
                let all = selector("option");
                let value = |o: &ElementRef<'_>| o.attr("value").map_or_else(|| element_text(*o), str::to_owned);
                control.options = element.select(&all).map(|o| value(&o)).collect();
                let selected = element.select(&all).find(|o| o.attr("selected").is_some());
                control.value = selected.map(|o| value(&o)).or_else(|| control.options.first().cloned())?;
            }
            _ => {}
        }
        Some(control)
    }
}

fn part(body: &mut Vec<u8>, boundary: &str, disposition: &str, more: &str, bytes: &[u8]) {
    let head = format!("--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n{more}\r\n");
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(bytes);
    body.extend_from_slice(b"\r\n");
}

fn disabled(control: ElementRef<'_>) -> bool {
    control.attr("disabled").is_some()
        || control
            .ancestors()
            .filter_map(ElementRef::wrap)
            .any(|a| a.value().name() == "fieldset" && a.attr("disabled").is_some())
}

/// Line ends as browsers send them.
fn with_crlf(text: &str) -> Cow<'_, str> {
    if text.contains('\n') || text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n"))
    } else {
        Cow::Borrowed(text)
    }
}
