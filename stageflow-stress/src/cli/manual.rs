//! Completions and manual pages, made from the same definition as the commands.

use std::path::Path;

use clap::CommandFactory;
use serde_json::json;

use super::answer::Answer;
use super::args::Cli;
use super::error::CliError;

const NAME: &str = "stageflow-test";

/// The completions of a shell.
pub fn completions(shell: clap_complete::Shell) -> Answer {
    let mut script = Vec::new();
    if shell == clap_complete::Shell::Bash {
        script = bash();
    } else {
        clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    }
    let text = String::from_utf8_lossy(&script).into_owned();
    Answer::new(json!({ "shell": shell.to_string(), "script": text })).verbatim(script)
}

/// The generator for bash loses its way in a name with a hyphen: it is given one without, which then is replaced where the
/// program is named.
fn bash() -> Vec<u8> {
    let name = "stageflowtest";
    let mut script = Vec::new();
    let mut command = Cli::command().name(name).bin_name(name);
    clap_complete::generate(clap_complete::Shell::Bash, &mut command, name, &mut script);
    let script = String::from_utf8_lossy(&script);
    let lines = script.lines().map(|line| match line.strip_suffix(name) {
        Some(start) if line.trim_start().starts_with("complete ") => format!("{start}{NAME}\n"),
        _ => format!("{line}\n"),
    });
    lines.collect::<String>().into_bytes()
}

/// The manual page, or one page for each command in a directory.
pub fn man(dir: Option<&Path>) -> Result<Answer, CliError> {
    let mut command = Cli::command();
    command.build();
    let Some(dir) = dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page).map_err(CliError::io(Path::new("the manual")))?;
        let text = String::from_utf8_lossy(&page).into_owned();
        return Ok(Answer::new(json!({ "page": text })).verbatim(page));
    };
    std::fs::create_dir_all(dir).map_err(CliError::io(dir))?;
    clap_mangen::generate_to(command, dir).map_err(CliError::io(dir))?;
    let mut pages: Vec<String> = std::fs::read_dir(dir)
        .map_err(CliError::io(dir))?
        .filter_map(|item| Some(item.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|name| name.starts_with(NAME) && name.ends_with(".1"))
        .collect();
    pages.sort();
    let line = format!("{} pages in {}", pages.len(), dir.display());
    Ok(Answer::new(json!({ "dir": dir, "pages": pages })).line(line))
}
