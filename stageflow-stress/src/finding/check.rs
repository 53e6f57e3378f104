//! What a finding must be before it is recorded.

use super::model::{Attachment, Finding};

/// What is wrong with a finding that somebody made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FindingError {
    /// It says nothing.
    #[error("a finding without a title; say in one line what is wrong")]
    EmptyTitle,
    /// An attachment whose path leaves the run folder, or would on another system.
    #[error(
        "attachment `{path}` {problem}; write a path within the run folder, such as `results/logs/a.log`"
    )]
    AttachmentPath {
        /// The path.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl Attachment {
    /// Whether the path stays within the run folder on every system.
    ///
    /// # Errors
    ///
    /// An empty or absolute path, one with `..`, a backslash, a drive letter or a control character.
    ///
    /// ```
    /// use stageflow_stress::Finding;
    ///
    /// let finding = Finding::bug("leak").attach("passwords", "../../etc/passwd", "data");
    /// let error = finding.attachments[0].check().unwrap_err().to_string();
    /// assert!(error.starts_with("attachment `../../etc/passwd` leaves the run folder with `..`; write a path"));
    /// ```
    pub fn check(&self) -> Result<(), FindingError> {
        let path = self.path.as_str();
        let problem = match path.as_bytes() {
            [] => "is empty",
            [b'/', ..] => "is absolute",
            [letter, b':', ..] if letter.is_ascii_alphabetic() => "begins with a drive letter",
            _ if path.contains('\\') => "contains a backslash",
            _ if path.split('/').any(|part| part == "..") => "leaves the run folder with `..`",
            _ if path.chars().any(char::is_control) => "contains a control character",
            _ => return Ok(()),
        };
        Err(FindingError::AttachmentPath { path: path.to_owned(), problem })
    }
}

impl Finding {
    /// Whether it can be recorded.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong: an empty title, or an attachment that leaves the run folder.
    pub fn check(&self) -> Result<(), FindingError> {
        if self.title.trim().is_empty() {
            return Err(FindingError::EmptyTitle);
        }
        self.attachments.iter().try_for_each(Attachment::check)
    }

    /// Makes it recordable: a finding must not be lost for what is wrong with it. What was removed is said in its
    /// evidence.
    pub(crate) fn repair(&mut self, problem: &FindingError) {
        if self.title.trim().is_empty() {
            let place = if self.rule.is_empty() { self.kind.as_str() } else { &self.rule };
            self.title = format!("{place} finding without a title");
        }
        let refused: Vec<String> = self
            .attachments
            .extract_if(.., |attachment| attachment.check().is_err())
            .map(|a| a.path)
            .collect();
        let data = serde_json::json!({ "removed_attachments": refused });
        *self = std::mem::replace(self, Finding::bug("")).evidence("record", problem.to_string(), data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_within_the_run_folder() {
        for (path, problem) in [
            ("", "is empty"),
            ("/etc/passwd", "is absolute"),
            ("C:/x", "begins with a drive letter"),
            ("c:x", "begins with a drive letter"),
            ("a\\b", "contains a backslash"),
            ("..", "leaves the run folder with `..`"),
            ("a/../../b", "leaves the run folder with `..`"),
            ("a/..", "leaves the run folder with `..`"),
            ("a\0b", "contains a control character"),
        ] {
            let finding = Finding::bug("t").attach("n", path, "log");
            let expected = FindingError::AttachmentPath { path: path.to_owned(), problem };
            assert_eq!(finding.check(), Err(expected), "{path:?}");
        }
        for path in ["a", "results/logs/a.log", "a..b/..c", "é/ü", "1:2", "./a"] {
            assert_eq!(Finding::bug("t").attach("n", path, "log").check(), Ok(()), "{path:?}");
        }
    }

    #[test]
    fn a_title_is_needed() {
        assert_eq!(Finding::bug(" \n").check(), Err(FindingError::EmptyTitle));
        assert_eq!(Finding::bug("t").check(), Ok(()));
    }

    #[test]
    fn a_repaired_finding_can_be_recorded_and_says_what_was_removed() {
        let mut finding = Finding::bug(" ").rule("author").attach("a", "/a", "log").attach("b", "b", "log");
        let problem = finding.check().unwrap_err();
        finding.repair(&problem);
        assert_eq!(finding.check(), Ok(()));
        assert_eq!(finding.title, "author finding without a title");
        assert_eq!(finding.attachments.len(), 1);
        assert_eq!(finding.evidence[0].data["removed_attachments"], serde_json::json!(["/a"]));
    }
}
