//! `report.html`: what happened in a run, and what to do next.

use super::folder::Folder;
use super::markup::Markup;
use super::page::page;
use super::section;
use super::value::text;

/// The parts of the page: anchor, name in the navigation, and who writes it.
type Part = (&'static str, &'static str, fn(&mut Markup, &Folder));

const PARTS: &[Part] = &[
    ("findings", "Findings", section::findings::section),
    ("tests", "Tests", section::tests::section),
    ("goldens", "Goldens", section::goldens::section),
    ("measurements", "Measurements", section::measurements::section),
    ("spans", "Spans", section::spans::section),
    ("logs", "Logs", section::logs::section),
    ("feedback", "Feedback", section::feedback::section),
    ("setting", "Setting", section::setting::section),
    ("files", "Files", section::files::section),
];

/// The page of a folder.
pub fn render(folder: &Folder) -> String {
    let (entry, title, run) = identity(folder);
    page(&format!("{entry} {run}: {}", verdict_word(folder)), "run", |m| {
        m.within("header", &[("class", "top")], |m| {
            m.within("p", &[("class", "crumbs")], |m| {
                let index = folder.dir.join("../..").join(super::INDEX_PAGE).is_file();
                m.link(index.then_some("../../index.html"), "All runs");
                m.text(" / ");
                m.text(&entry);
                m.text(" / ");
                m.text(&run);
            });
            m.within("h1", &[], |m| {
                m.element("span", &[("class", "id")], &entry);
                m.text(" ");
                m.text(&title);
            });
        });
        m.within("nav", &[("class", "parts"), ("aria-label", "Parts of this report")], |m| {
            m.within("ul", &[], |m| {
                for (anchor, name, _) in
                    std::iter::once(&("overview", "Overview", nothing as fn(&mut Markup, &Folder)))
                        .chain(PARTS)
                {
                    m.within("li", &[], |m| m.element("a", &[("href", &format!("#{anchor}"))], name));
                }
            });
        });
        m.within("main", &[("id", "main")], |m| {
            m.within("section", &[("id", "overview"), ("aria-label", "Overview")], |m| {
                section::overview::section(m, folder)
            });
            for (anchor, name, write) in PARTS {
                m.within("section", &[("id", anchor), ("aria-labelledby", &format!("{anchor}-h"))], |m| {
                    m.heading("h2", &format!("{anchor}-h"), name);
                    write(m, folder);
                });
            }
        });
        m.within("footer", &[], |m| {
            m.text("Made from the files of this folder by stageflow-stress ");
            m.text(env!("CARGO_PKG_VERSION"));
            m.text(". Nothing here was typed by hand, and what was not recorded is said to be not recorded.");
        });
        m.data("summary", &folder.summary);
        m.data("findings-index", &section::findings::index(folder));
    })
}

fn nothing(_: &mut Markup, _: &Folder) {}

/// Entry, title and name of the run, from whatever the folder holds.
fn identity(folder: &Folder) -> (String, String, String) {
    let metadata = folder.findings.as_ref().map(|document| &document.metadata);
    let first = |texts: [String; 3]| texts.into_iter().find(|text| !text.is_empty());
    let name = |path: Option<&std::path::Path>| {
        path.and_then(|path| path.file_name())
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    };
    let dir = folder.dir.canonicalize().unwrap_or_else(|_| folder.dir.clone());
    let entry = first([
        text(&folder.summary["entry"], "id"),
        metadata.and_then(|metadata| metadata.roadmap_entry_id.clone()).unwrap_or_default(),
        name(dir.parent()),
    ]);
    let title = first([
        text(&folder.summary["entry"], "title"),
        metadata.and_then(|metadata| metadata.roadmap_entry_title.clone()).unwrap_or_default(),
        text(&folder.config, "roadmap_entry_title"),
    ]);
    let run = first([text(&folder.summary, "run_id"), text(&folder.config, "run_id"), name(Some(&dir))]);
    (
        entry.unwrap_or_else(|| "unknown entry".to_owned()),
        title.unwrap_or_default(),
        run.unwrap_or_else(|| "run".to_owned()),
    )
}

/// The verdict as it is shown.
pub fn verdict_word(folder: &Folder) -> String {
    let word = text(&folder.summary, "verdict");
    if word.is_empty() { "no verdict".to_owned() } else { word.replace('_', " ") }
}
