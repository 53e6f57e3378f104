//! Every page must be able to go red: each is run alone with each defect that it names, and must fail.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{CONTROLS, SWITCH};

/// The pages, by the names of their modules, with the defects that they name.
fn pages() -> Vec<(String, Vec<String>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/roadmap");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files
        .into_iter()
        .filter_map(|file| {
            let text = std::fs::read_to_string(&file).unwrap();
            if !text.contains("#[roadmap_test(\"") {
                return None;
            }
            let about: String =
                text.lines().take_while(|line| line.starts_with("//!")).collect::<Vec<_>>().join("\n");
            let (_, named) = about.split_once("//! Red with:").unwrap_or((&about, ""));
            let named = named.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            Some((file.file_stem().unwrap().to_str().unwrap().to_owned(), named))
        })
        .filter(|(page, _)| page != "red")
        .collect()
}

/// Runs the tests of a page with a defect; what is wrong with that, if it was not red.
fn not_red(page: &str, defect: &str) -> Option<String> {
    let runs = std::env::temp_dir().join(format!("miniflow-red-{}-{page}-{defect}", std::process::id()));
    let ran = Command::new(std::env::current_exe().unwrap())
        .args([&format!("{page}::"), "--test-threads=1"])
        .env(SWITCH, defect)
        .env("STAGEFLOW_RUNS_DIR", &runs)
        .env("STAGEFLOW_RUN_ID", format!("{page}-{defect}"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    let _ = std::fs::remove_dir_all(runs);
    let red = ran.status.code() == Some(101) && text.contains("0 passed; 1 failed") && !text.contains(SWITCH);
    (!red).then(|| format!("{page} with {defect}, {}:\n{text}", ran.status))
}

#[test]
fn every_page_is_red_with_each_defect_that_it_names() {
    let pages = pages();
    assert_eq!(pages.len(), 21, "{pages:?}");
    let without: Vec<_> = pages.iter().filter(|(_, named)| named.is_empty()).collect();
    assert!(without.is_empty(), "pages that name no defect: {without:?}");
    let unused: Vec<_> = CONTROLS
        .iter()
        .filter(|control| !pages.iter().any(|(_, named)| named.iter().any(|n| n == *control)))
        .collect();
    assert!(unused.is_empty(), "controls that no page names: {unused:?}");

    let cases: Vec<(&str, &str)> = pages
        .iter()
        .flat_map(|(page, named)| named.iter().map(move |defect| (page.as_str(), defect.as_str())))
        .filter(|(page, _)| cfg!(target_os = "linux") || !matches!(*page, "chaos_011" | "chaos_012"))
        .collect();
    let (next, green) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((page, defect)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    green.lock().unwrap().extend(not_red(page, defect));
                }
            });
        }
    });
    let green = green.into_inner().unwrap();
    println!("{} cases over {} pages", cases.len(), pages.len());
    assert!(
        green.is_empty(),
        "{} of {} cases are not red:\n{}",
        green.len(),
        cases.len(),
        green.join("\n\n")
    );
}
