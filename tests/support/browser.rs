//! A real Chromium, spoken to directly over the DevTools protocol: one browser for the whole run, a context (cookies,
//! storage) for each tab. Everything is synchronous; a wait is a condition polled, never a guess at a time.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

/// The browser of this run. It ends with the test process, however that ends: a small shell holds the other end of a
/// pipe and stops Chromium when it closes.
#[derive(Debug)]
pub struct Browser {
    port: u16,
    path: String,
    /// The shell that watches over it, with the pipe that tells it to stop.
    _watch: Child,
}

/// A tab in a context of its own.
#[derive(Debug)]
pub struct Tab {
    socket: WebSocket<TcpStream>,
    session: Option<String>,
    context: String,
    next_id: u64,
    /// What the console, the log and the security checks said.
    pub complaints: Vec<String>,
}

const WATCH: &str = r#"profile=$1; shift; "$@" > /dev/null 2>&1 & browser=$!
cat > /dev/null; kill $browser 2> /dev/null; wait $browser; rm -rf "$profile""#;

const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--lang=en-GB",
    "--remote-debugging-port=0",
];

impl Browser {
    /// The one browser; the first call starts it.
    pub fn shared() -> &'static Self {
        static BROWSER: OnceLock<Browser> = OnceLock::new();
        BROWSER.get_or_init(Self::start)
    }

    fn start() -> Self {
        let profile = tempfile::tempdir().expect("a profile directory").keep();
        let program = std::env::var("TEST_CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
        let child = Command::new("sh")
            .args(["-c", WATCH, "sh"])
            .arg(&profile)
            .arg(program)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let mut found = None;
        super::eventually("Chromium says where it listens (is it installed? tests/run does that)", || {
            let text = std::fs::read_to_string(profile.join("DevToolsActivePort")).unwrap_or_default();
            let mut lines = text.lines();
            found = lines.next().and_then(|p| p.parse().ok()).zip(lines.next().map(str::to_owned));
            found.is_some()
        });
        let (port, path) = found.expect("a port");
        Self { port, path, _watch: child }
    }

    /// A new tab, in a context of its own.
    pub fn tab(&self) -> Tab {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("Chromium listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a time-out");
        let url = format!("ws://127.0.0.1:{}{}", self.port, self.path);
        let (socket, _) = tungstenite::client(url, stream).expect("Chromium speaks");
        let mut tab = Tab { socket, session: None, context: String::new(), next_id: 0, complaints: Vec::new() };
        let context = tab.call("Target.createBrowserContext", json!({ "disposeOnDetach": true }));
        tab.context = text_of(&context["browserContextId"]);
        let target = tab.call("Target.createTarget", json!({ "url": "about:blank", "browserContextId": tab.context }));
        let attached = tab.call("Target.attachToTarget", json!({ "targetId": target["targetId"], "flatten": true }));
        tab.session = Some(text_of(&attached["sessionId"]));
        for domain in ["Page", "Runtime", "Log", "Network", "Accessibility", "DOM"] {
            tab.call(&format!("{domain}.enable"), json!({}));
        }
        tab.size(1280, 900);
        tab
    }
}

impl Tab {
    /// Calls a method of the protocol and returns its result.
    #[track_caller]
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.try_call(method, params).unwrap_or_else(|e| panic!("{method}: {e}"))
    }

    fn try_call(&mut self, method: &str, params: Value) -> Result<Value, String> {
        self.next_id += 1;
        let id = self.next_id;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(message.to_string())).map_err(|e| e.to_string())?;
        loop {
            let Message::Text(text) = self.socket.read().map_err(|e| e.to_string())? else { continue };
            let mut answer: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
            if answer["id"] == json!(id) {
                return match answer.get("error") {
                    Some(error) => Err(error.to_string()),
                    None => Ok(answer["result"].take()),
                };
            }
            self.notice(&answer);
        }
    }

    fn notice(&mut self, event: &Value) {
        let params = &event["params"];
        match event["method"].as_str() {
            Some("Log.entryAdded") => {
                let entry = &params["entry"];
                // An answer of 4xx is logged by design; what matters is what the browser refused or could not do.
                let by_design = entry["source"] == "network"
                    && ["409", "422", "404", "403", "429"].iter().any(|s| text_of(&entry["text"]).contains(s));
                if !by_design && entry["level"] != "verbose" && entry["level"] != "info" {
                    self.complaints.push(format!("{}: {}", text_of(&entry["source"]), text_of(&entry["text"])));
                }
            }
            Some("Runtime.exceptionThrown") => self.complaints.push(params["exceptionDetails"].to_string()),
            Some("Runtime.consoleAPICalled") if params["type"] == "error" => {
                self.complaints.push(params["args"].to_string());
            }
            Some("Page.javascriptDialogOpening") => self.complaints.push(format!("a dialog: {params}")),
            _ => {}
        }
    }

    /// Runs script in the page and returns its value. Works with the page's own scripts off too.
    #[track_caller]
    pub fn eval(&mut self, script: &str) -> Value {
        self.try_eval(script).unwrap_or_else(|e| panic!("{script}: {e}"))
    }

    fn try_eval(&mut self, script: &str) -> Result<Value, String> {
        let params = json!({ "expression": script, "awaitPromise": true, "returnByValue": true });
        let mut answer = self.try_call("Runtime.evaluate", params)?;
        match answer.get("exceptionDetails") {
            Some(problem) => Err(problem.to_string()),
            None => Ok(answer["result"]["value"].take()),
        }
    }

    /// Waits until a script expression is true.
    #[track_caller]
    pub fn wait(&mut self, condition: &str) {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            // While a page is being replaced there may be nothing to ask; that is not yet true, not wrong.
            if self.try_eval(&format!("!!({condition})")) == Ok(json!(true)) {
                return;
            }
            if Instant::now() > until {
                let page = self.try_eval("location.href + ' ' + document.title + ' ' + document.body.innerText");
                panic!("waited in vain for {condition} on {page:?}; complaints: {:?}", self.complaints);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Opens an address and waits until the page is there.
    #[track_caller]
    pub fn open(&mut self, url: &str) {
        let went = self.call("Page.navigate", json!({ "url": url }));
        assert!(went.get("errorText").is_none(), "{url}: {}", went["errorText"]);
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'");
    }

    /// Does something that replaces the page, and waits until the next one is there.
    #[track_caller]
    pub fn leave(&mut self, act: impl FnOnce(&mut Self)) {
        self.eval("window.__left_behind = true");
        act(self);
        self.wait("!window.__left_behind && document.readyState === 'complete'");
    }

    /// Presses the button or follows the link with these words, with the mouse.
    #[track_caller]
    pub fn click(&mut self, words: &str) {
        let (x, y) = self.centre(&format!("{FIND}({})", json!(words)), words);
        for kind in ["mousePressed", "mouseReleased"] {
            let params = json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", params);
        }
    }

    /// The same, and waits for the next page.
    #[track_caller]
    pub fn go(&mut self, words: &str) {
        self.leave(|tab| tab.click(words));
    }

    fn centre(&mut self, finder: &str, what: &str) -> (f64, f64) {
        let script = format!(
            "(() => {{ const e = {finder}; if (!e) return null; e.scrollIntoView({{block: 'center', behavior: 'instant'}});
               const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; }})()"
        );
        let at = self.eval(&script);
        let page = || format!("“{what}” is not on the page");
        (at[0].as_f64().unwrap_or_else(|| panic!("{}", page())), at[1].as_f64().unwrap_or_default())
    }

    /// Presses the filled button of the last form in `main`, with the mouse.
    #[track_caller]
    pub fn submit_main(&mut self) {
        let finder =
            "[...document.querySelectorAll('main form')].at(-1).querySelector('button.btn:not(.alt):not(.bare)')";
        let (x, y) = self.centre(finder, "a filled button");
        for kind in ["mousePressed", "mouseReleased"] {
            let params = json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", params);
        }
    }

    /// Types into the control of this name (of the form in `main`), replacing what it holds.
    #[track_caller]
    pub fn fill(&mut self, name: &str, text: &str) {
        let script = format!(
            "(() => {{ const e = document.querySelector(`main [name=\"${{{}}}\"]`); if (!e) return 'missing';
               e.focus(); if (e.select) e.select(); if (e.setSelectionRange && e.type !== 'email') e.setSelectionRange(0, e.value.length);
               return document.activeElement === e ? 'ready' : 'no focus'; }})()",
            json!(name)
        );
        let ready = self.eval(&script);
        assert_eq!(ready, "ready", "the control {name} on {}", self.eval("location.href"));
        if text.is_empty() {
            self.key("Delete");
        } else {
            self.call("Input.insertText", json!({ "text": text }));
        }
    }

    /// Chooses a radio button or ticks a box by name and value, with the mouse.
    #[track_caller]
    pub fn choose(&mut self, name: &str, value: &str) {
        let css = format!("main [name={}][value={}]", json!(name), json!(value));
        let (x, y) = self.centre(&format!("document.querySelector({})", json!(css)), &css);
        for kind in ["mousePressed", "mouseReleased"] {
            let params = json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", params);
        }
        let chosen = self.eval(&format!("document.querySelector({}).checked", json!(css)));
        assert_eq!(chosen, true, "{css} can be chosen");
    }

    /// Presses a key: a name such as `Tab`, `Shift+Tab`, `Enter`, `Space`, `Delete`, `ArrowDown`.
    #[track_caller]
    pub fn key(&mut self, name: &str) {
        let (modifiers, key) = name.strip_prefix("Shift+").map_or((0, name), |key| (8, key));
        let (key, code, number, text) = match key {
            "Tab" => ("Tab", "Tab", 9, ""),
            "Enter" => ("Enter", "Enter", 13, "\r"),
            "Space" => (" ", "Space", 32, " "),
            "Delete" => ("Delete", "Delete", 46, ""),
            "Escape" => ("Escape", "Escape", 27, ""),
            "ArrowDown" => ("ArrowDown", "ArrowDown", 40, ""),
            "ArrowUp" => ("ArrowUp", "ArrowUp", 38, ""),
            other => panic!("no key {other}"),
        };
        let mut params = json!({
            "type": if text.is_empty() { "rawKeyDown" } else { "keyDown" },
            "key": key, "code": code, "windowsVirtualKeyCode": number, "modifiers": modifiers,
        });
        if !text.is_empty() {
            params["text"] = json!(text);
        }
        self.call("Input.dispatchKeyEvent", params.clone());
        params["type"] = json!("keyUp");
        self.call("Input.dispatchKeyEvent", params);
    }

    /// Types text into what has the focus.
    #[track_caller]
    pub fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Turns the page's scripts off.
    pub fn scripts_off(&mut self) {
        self.call("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
    }

    /// The window's size in CSS pixels.
    pub fn size(&mut self, width: u32, height: u32) {
        let params = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.call("Emulation.setDeviceMetricsOverride", params);
    }

    /// The size of text that the browser's own settings ask for, in pixels; 16 is usual.
    pub fn text_size(&mut self, pixels: u32) {
        self.call("Page.setFontSizes", json!({ "fontSizes": { "standard": pixels, "fixed": pixels } }));
    }

    /// Sets media features, such as `("prefers-color-scheme", "dark")`.
    pub fn media(&mut self, features: &[(&str, &str)]) {
        let features: Vec<_> = features.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// Lends the tab a visitor's cookies.
    pub fn borrow_cookies(&mut self, visitor: &super::Visitor) {
        for (name, value) in visitor.cookies() {
            let params = json!({ "name": name, "value": value, "url": visitor.base(), "httpOnly": true });
            self.call("Network.setCookie", params);
        }
    }

    /// The path and query of the page.
    pub fn path(&mut self) -> String {
        text_of(&self.eval("location.pathname + location.search"))
    }

    /// The visible words of the page.
    pub fn text(&mut self) -> String {
        let text = text_of(&self.eval("document.body.innerText"));
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Insists on words being on the page.
    #[track_caller]
    pub fn says(&mut self, words: &str) {
        let text = self.text();
        assert!(text.contains(words), "the page {} does not say “{words}”: {text}", self.path());
    }

    /// What has the focus: its tag, and the first of name, id or words.
    pub fn focus(&mut self) -> String {
        text_of(&self.eval(
            "(() => { const e = document.activeElement; return e.tagName.toLowerCase() + ' ' + \
             (e.getAttribute('name') || e.id || e.innerText || '').trim().slice(0, 60); })()",
        ))
    }

    /// The accessibility tree: role, name and the properties that matter of each node that is shown.
    pub fn tree(&mut self) -> Vec<(String, String, Value)> {
        let tree = self.call("Accessibility.getFullAXTree", json!({}));
        let nodes = tree["nodes"].as_array().cloned().unwrap_or_default();
        nodes
            .into_iter()
            .filter(|n| n["ignored"] != true)
            .map(|n| (text_of(&n["role"]["value"]), text_of(&n["name"]["value"]), n["properties"].clone()))
            .collect()
    }

    /// Runs axe-core over the page and returns what it found, violations and what it could not decide.
    #[track_caller]
    pub fn axe(&mut self) -> Vec<String> {
        if self.eval("typeof window.axe === 'object'") != true {
            self.eval(concat!(include_str!("../vendor/axe.min.js"), "\n;0"));
        }
        let found = self.eval(AXE);
        found.as_array().expect("axe answers").iter().map(text_of).collect()
    }

    /// How many pixels the page is wider than the window.
    pub fn overflow(&mut self) -> i64 {
        let script = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
        self.eval(script).as_i64().unwrap_or(i64::MAX)
    }

    /// A picture of the page, kept under the target directory for whoever wants to look.
    pub fn picture(&mut self, name: &str) {
        let shot = self.call("Page.captureScreenshot", json!({ "format": "png", "captureBeyondViewport": true }));
        let bytes = base64::engine::general_purpose::STANDARD.decode(text_of(&shot["data"])).expect("base64");
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::File::create(folder.join(format!("{name}.png"))).expect("a file").write_all(&bytes).expect("written");
    }

    /// Insists that nothing was refused by the content security policy, thrown or logged as an error.
    #[track_caller]
    pub fn no_complaints(&mut self) {
        self.eval("0"); // reads what is still on the wire
        assert!(self.complaints.is_empty(), "the browser complained: {:#?}", self.complaints);
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        self.session = None;
        let params = json!({ "browserContextId": self.context });
        let _ = self.try_call("Target.disposeBrowserContext", params);
        let _ = self.socket.close(None);
        let _ = self.socket.get_mut().read(&mut [0]);
    }
}

/// Finds a link or button by its words: the whole of them first, then a part.
/// Written as `^words$` it must be a button with exactly these words, or a link if there is no such button.
const FIND: &str = "((words) => { const all = [...document.querySelectorAll('a[href], button, input[type=submit], summary')] \
    .filter((e) => !e.closest('[aria-hidden=true]')); \
    const say = (e) => (e.textContent || e.value || '').replace(/\\s+/g, ' ').trim(); \
    const exact = /^\\^(.*)\\$$/.exec(words); \
    if (exact) { const same = all.filter((e) => say(e) === exact[1]); return same.find((e) => e.tagName !== 'A') || same[0] || null; } \
    return all.find((e) => say(e) === words) || all.find((e) => say(e).includes(words)) || null; })";

/// Every rule of A, AA and AAA that can be computed, best practice, and those that are off by default. A `datalist` is
/// hidden by nature.
const AXE: &str = "axe.run(document, { resultTypes: ['violations', 'incomplete'], rules: Object.fromEntries([ \
    'color-contrast-enhanced', 'identical-links-same-purpose', 'meta-refresh-no-exceptions', 'target-size', \
    'p-as-heading', 'td-has-header', 'table-fake-caption', 'focus-order-semantics', 'css-orientation-lock', \
    'hidden-content'].map((r) => [r, { enabled: true }])) }).then((r) => [].concat( \
    r.violations.map((v) => ['violation', v]), r.incomplete.map((v) => ['undecided', v])) \
    .flatMap(([kind, v]) => v.nodes.filter((n) => !n.html.startsWith('<datalist')).map((n) => kind + ' ' + v.id + ': ' + n.target + ' — ' + n.html.slice(0, 200) + ' — ' + \
    (n.any[0] || n.all[0] || n.none[0] || {}).message)))";

/// A JSON string's text; anything else as JSON.
fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| if value.is_null() { String::new() } else { value.to_string() }, str::to_owned)
}
