//! Accuracy of templates on the public sets of loghub (<https://github.com/logpai/loghub>), whose licence allows research
//! and no copies. `STAGEFLOW_LOGHUB` names the folder; without it, nothing is measured and the tests say so.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::template::{Config, Miner};

/// Lines of a set: content, id of the true template, label and level where the set has them.
struct Set {
    name: String,
    rows: Vec<HashMap<String, String>>,
}

fn sets() -> Option<Vec<Set>> {
    let Some(folder) = std::env::var_os("STAGEFLOW_LOGHUB").map(PathBuf::from) else {
        println!("not measured: STAGEFLOW_LOGHUB names no folder");
        return None;
    };
    let mut sets: Vec<Set> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            let path = Path::new(&std::env::var_os("STAGEFLOW_LOGHUB")?)
                .join(&name)
                .join(format!("{name}_2k.log_structured.csv"));
            Some(Set { rows: csv(&std::fs::read_to_string(path).ok()?), name })
        })
        .collect();
    sets.sort_by(|a, b| a.name.cmp(&b.name));
    Some(sets)
}

/// Rows of a CSV file by the names of its columns. Quoted fields may hold commas, quotes and line ends.
fn csv(text: &str) -> Vec<HashMap<String, String>> {
    let mut rows: Vec<Vec<String>> = vec![vec![String::new()]];
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let row = rows.last_mut().unwrap();
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                row.last_mut().unwrap().push('"');
                chars.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(String::new()),
            '\n' if !quoted => rows.push(vec![String::new()]),
            '\r' if !quoted => {}
            c => row.last_mut().unwrap().push(c),
        }
    }
    let head = rows.remove(0);
    rows.into_iter()
        .filter(|row| row.len() == head.len())
        .map(|row| head.iter().cloned().zip(row).collect())
        .collect()
}

/// Group accuracy: the share of lines whose group is exactly that of the truth. And its F1 over groups.
fn accuracy(set: &Set, config: Config) -> (f64, f64) {
    let mut miner = Miner::default();
    let forms: Vec<u32> = set.rows.iter().map(|row| miner.add(0, &row["Content"])).collect();
    let (_, of) = miner.finish(config);
    let mut truth: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut found: HashMap<u32, Vec<usize>> = HashMap::new();
    for (line, (row, form)) in set.rows.iter().zip(&forms).enumerate() {
        truth.entry(&row["EventId"]).or_default().push(line);
        found.entry(of[*form as usize]).or_default().push(line);
    }
    let right: Vec<&Vec<usize>> =
        found.values().filter(|lines| truth[set.rows[lines[0]]["EventId"].as_str()] == **lines).collect();
    let lines: usize = right.iter().map(|lines| lines.len()).sum();
    let (precision, recall) =
        (right.len() as f64 / found.len() as f64, right.len() as f64 / truth.len() as f64);
    (
        lines as f64 / set.rows.len() as f64,
        if right.is_empty() { 0.0 } else { 2.0 * precision * recall / (precision + recall) },
    )
}

#[test]
fn templates_of_public_logs_are_grouped_as_people_group_them() {
    let Some(sets) = sets() else { return };
    let mut ga = Vec::new();
    let mut fga = Vec::new();
    for set in &sets {
        let (group, f1) = accuracy(set, Config::default());
        println!("| {} | {group:.3} | {f1:.3} |", set.name);
        ga.push(group);
        fga.push(f1);
    }
    let mean = |list: &[f64]| list.iter().sum::<f64>() / list.len() as f64;
    println!("| mean | {:.3} | {:.3} |", mean(&ga), mean(&fga));
    // Each set is judged by the setting that is best for the others.
    let mut grid = Vec::new();
    for similarity in [0.5, 0.6, 0.7, 0.8] {
        for depth in [1, 2, 3] {
            for values in [3, 5, 8, 100] {
                grid.push(Config { similarity, depth, values });
            }
        }
    }
    let all: Vec<Vec<(f64, f64)>> =
        grid.iter().map(|config| sets.iter().map(|set| accuracy(set, *config)).collect()).collect();
    let (mut left_ga, mut left_fga) = (Vec::new(), Vec::new());
    for held in 0..sets.len() {
        let of_others = |of: &Vec<(f64, f64)>| {
            of.iter().enumerate().filter(|(at, _)| *at != held).map(|(_, (ga, _))| ga).sum::<f64>()
        };
        let best = all.iter().max_by(|a, b| of_others(a).total_cmp(&of_others(b))).unwrap();
        left_ga.push(best[held].0);
        left_fga.push(best[held].1);
    }
    println!("| leave one set out | {:.3} | {:.3} |", mean(&left_ga), mean(&left_fga));
    assert!(mean(&ga) >= 0.92, "mean GA {}", mean(&ga));
}

#[test]
fn alerts_of_bgl_are_told_better_than_by_words_or_levels() {
    let Some(sets) = sets() else { return };
    let Some(bgl) = sets.iter().find(|set| set.name == "BGL") else { return };
    let words = ["failed", "error", "exception", "timeout"];
    let judge = |name: &str, rule: &dyn Fn(&HashMap<String, String>) -> bool| {
        let (mut hit, mut wrong, mut missed) = (0.0, 0.0, 0.0);
        for row in &bgl.rows {
            match (rule(row), row["Label"] != "-") {
                (true, true) => hit += 1.0,
                (true, false) => wrong += 1.0,
                (false, true) => missed += 1.0,
                (false, false) => {}
            }
        }
        let (precision, recall) = (hit / (hit + wrong), hit / (hit + missed));
        let f1 = 2.0 * precision * recall / (precision + recall);
        println!("| {name} | {precision:.3} | {recall:.3} | {f1:.3} |");
        f1
    };
    let by_words = judge("words", &|row| {
        let content = row["Content"].to_ascii_lowercase();
        words.iter().any(|word| content.contains(word))
    });
    let is_error = |row: &HashMap<String, String>| {
        matches!(row["Level"].as_str(), "ERROR" | "FATAL" | "SEVERE" | "FAILURE")
    };
    let by_level = judge("level", &is_error);
    let ours = judge("D2, without details of other errors", &|row| {
        is_error(row) && super::detect::tells_of_failure(&row["Content"])
    });
    assert!(ours > by_words && ours > by_level);
}

#[test]
fn raw_lines_of_public_logs_are_understood() {
    let Some(sets) = sets() else { return };
    let folder = PathBuf::from(std::env::var_os("STAGEFLOW_LOGHUB").unwrap());
    for set in &sets {
        let name = &set.name;
        let bytes = std::fs::read(folder.join(name).join(format!("{name}_2k.log"))).unwrap();
        let report = super::public::analyze(&bytes, &super::public::Options::new());
        let coverage = report.coverage().unwrap();
        println!("| {name} | {coverage:.2} % | {} |", report.formats());
        assert!(coverage >= 99.0, "{name}: {coverage} % of the lines");
    }
}
