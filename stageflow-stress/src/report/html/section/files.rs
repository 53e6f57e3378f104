//! Everything that lies in the folder.

use super::super::folder::Folder;
use super::super::markup::Markup;
use crate::markdown::count;

/// Files that are listed.
const SHOWN: usize = 500;

pub fn section(m: &mut Markup, folder: &Folder) {
    let all = folder.files.len() + folder.unlisted;
    m.paragraph(&format!(
        "{} below this folder, without this page and without hidden files.",
        count(all, "file", "files")
    ));
    m.within("details", &[], |m| {
        m.element("summary", &[], "List them");
        m.within("ul", &[("class", "files")], |m| {
            for path in folder.files.iter().take(SHOWN) {
                m.within("li", &[], |m| m.link(Some(path), path));
            }
        });
        if all > SHOWN {
            m.paragraph(&format!("And {}.", count(all - SHOWN, "more file", "more files")));
        }
    });
}
