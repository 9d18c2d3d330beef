//! Rebuilds the embedded migrations when one is added, and renders `docs/errors.md` for `/docs/errors`.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, html};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=docs/errors.md");
    let page = render(&fs::read_to_string("docs/errors.md")?);
    let to = env::var_os("OUT_DIR").ok_or("cargo says where")?;
    Ok(fs::write(Path::new(&to).join("errors.html"), page)?)
}

/// Each heading is named after its text, so that `/docs/errors#email_taken` leads to the section of that code.
fn render(markdown: &str) -> String {
    let mut events: Vec<Event<'_>> = Parser::new_ext(markdown, Options::ENABLE_TABLES).collect();
    for at in 1..events.len() {
        let name = match &events[at] {
            Event::Text(text) => CowStr::from(text.to_string()),
            _ => continue,
        };
        if let Event::Start(Tag::Heading { id, .. }) = &mut events[at - 1] {
            *id = Some(name);
        }
    }
    let mut page = String::new();
    html::push_html(&mut page, events.into_iter());
    page
}
