//! Prepares the static files: a name that changes with the content, and copies compressed once, here, rather than on
//! every request. The result is compiled into the program, so that one file is the whole installation.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

use sha2::{Digest, Sha256};

/// What is served: constant in the generated code, file in `static/`, name in the address, media type.
const FILES: [(&str, &str, &str, &str, &str); 3] = [
    ("APP_CSS", "app.css", "app", "css", "text/css; charset=utf-8"),
    ("APP_JS", "app.js", "app", "js", "text/javascript; charset=utf-8"),
    ("HTMX_JS", "htmx-4.0.1.min.js", "htmx", "js", "text/javascript; charset=utf-8"),
];

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=static");
    println!("cargo:rerun-if-changed=migrations");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("OUT_DIR is not set"))?);
    let mut code = String::new();
    let mut list = String::new();
    for (constant, file, stem, extension, media_type) in FILES {
        let bytes = fs::read(Path::new("static").join(file))?;
        let hash = hex(&Sha256::digest(&bytes))[..16].to_owned();
        fs::write(out.join(file), &bytes)?;
        fs::write(out.join(format!("{file}.gz")), gzip(&bytes)?)?;
        fs::write(out.join(format!("{file}.br")), brotli(&bytes)?)?;
        let _ = writeln!(
            code,
            "/// The address of `static/{file}`.\npub const {constant}: &str = \"/assets/{stem}.{hash}.{extension}\";"
        );
        let _ = writeln!(
            list,
            "    Asset {{ path: {constant}, media_type: \"{media_type}\", etag: \"\\\"{hash}\\\"\", \
             plain: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{file}\")), \
             gzip: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{file}.gz\")), \
             brotli: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{file}.br\")) }},"
        );
    }
    let _ = writeln!(code, "/// Every embedded file.\npub static ALL: [Asset; {}] = [\n{list}];", FILES.len());
    fs::write(out.join("assets.rs"), code)
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    writer.write_all(bytes)?;
    writer.finish()
}

fn brotli(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    brotli::BrotliCompress(
        &mut io::Cursor::new(bytes),
        &mut out,
        &brotli::enc::BrotliEncoderParams { quality: 11, ..Default::default() },
    )?;
    Ok(out)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
