use proptest::prelude::*;

use super::*;

const A: &str = "sfp1:00000000000000000000000000000001";
const B: &str = "sfp1:00000000000000000000000000000002";
const C: &str = "sfp1:00000000000000000000000000000003";

/// A file as if it said what the requests gave.
#[derive(Default)]
struct Known(Vec<KnownFinding>);

impl Known {
    fn read(&self) -> KnownFindings {
        KnownFindings::of(self.0.clone())
    }

    fn put(&mut self, finding: KnownFinding) {
        self.0.retain(|known| known.fingerprint != finding.fingerprint);
        self.0.push(finding);
    }

    fn apply(&mut self, of: &str, change: Change) -> Result<bool, LifecycleError> {
        let Some(next) = change.apply(&self.read(), &Subject::new(of))? else { return Ok(false) };
        next.moved.into_iter().chain([next.finding]).for_each(|finding| self.put(finding));
        Ok(true)
    }

    fn get(&self, of: &str) -> KnownFinding {
        self.read().get(of).cloned().unwrap()
    }
}

fn fixed() -> Resolution {
    Resolution::new(ResolutionType::Fixed).commit("abc123")
}

#[test]
fn the_table_is_the_documented_one() {
    // Written again by hand, from the documentation.
    let documented = [
        ("open", "=..RRD"),
        ("confirmed", ".=.RRD"),
        ("in_progress", "..=RRD"),
        ("resolved", ".xx=xx"),
        ("wont_fix", ".xxx=x"),
        ("duplicate", ".xxxx="),
    ];
    for ((from, steps), (name, signs)) in LIFECYCLE.iter().zip(documented) {
        assert_eq!(from.as_str(), name);
        let written: String = steps
            .iter()
            .map(|step| match step {
                Step::Same => '=',
                Step::Allowed => '.',
                Step::NeedsResolution => 'R',
                Step::NeedsTarget => 'D',
                Step::Refused => 'x',
            })
            .collect();
        assert_eq!(written, signs, "{name}");
    }
    let document = include_str!("../../../../docs/findings.md");
    for (from, signs) in documented {
        let cells: Vec<String> = signs.chars().map(|sign| sign.to_string()).collect();
        let row = format!("| {from} | {} |", cells.join(" | "));
        assert!(document.contains(&row), "docs/findings.md has no row `{row}`");
    }
}

#[test]
fn a_resolution_carries_everything_and_a_reopening_moves_it_into_the_history() {
    let mut known = Known::default();
    let resolution = fixed().details("CAS in OutputBag").pr("#7").release("0.6").verify("cargo test dag_005");
    known.apply(A, Change::resolve(resolution).by("Ada").at("2026-01-15T10:00:00Z")).unwrap();
    let resolved = known.get(A);
    assert_eq!((resolved.status, resolved.why.as_str()), (FindingStatus::Resolved, "CAS in OutputBag"));
    let how = resolved.resolution.clone().unwrap();
    assert_eq!(how.resolved_by.as_deref(), Some("Ada"));
    assert_eq!(how.resolved_at.as_deref(), Some("2026-01-15T10:00:00Z"));
    assert!(!known.read().accepts(A), "seen again, it is a regression");

    known.apply(A, Change::reopen("seen in production").by("Bo").at("2026-01-16T10:00:00Z")).unwrap();
    let open = known.get(A);
    assert_eq!((open.status, &open.resolution, open.revision()), (FindingStatus::Open, &None, 2));
    assert_eq!(open.history[1].resolution.as_ref(), Some(&how));
    assert_eq!((open.history[1].by.as_str(), open.history[1].why.as_str()), ("Bo", "seen in production"));
}

#[test]
fn repeating_changes_nothing_and_saying_something_else_is_refused() {
    let mut known = Known::default();
    let resolve = || Change::resolve(fixed()).by("Ada");
    assert!(known.apply(A, resolve()).unwrap());
    assert!(!known.apply(A, resolve()).unwrap(), "the same again");
    let other = known.apply(A, Change::resolve(fixed().commit("def456")).by("Ada")).unwrap_err();
    assert!(
        other.to_string().contains("already resolved (fixed in commit abc123); reopen it first"),
        "{other}"
    );
    assert_eq!(known.get(A).revision(), 1);
}

#[test]
fn what_rests_on_an_old_state_is_refused() {
    let mut known = Known::default();
    known.apply(A, Change::confirm("seen").by("Ada").if_status(FindingStatus::Open).if_revision(0)).unwrap();
    let stale = || Change::resolve(fixed()).by("Bo");
    let error = known.apply(A, stale().if_status(FindingStatus::Open)).unwrap_err();
    assert_eq!(error.to_string(), format!("{A} is confirmed and not open; look at it again"));
    let error = known.apply(A, stale().if_revision(0)).unwrap_err();
    assert!(matches!(error, LifecycleError::OtherRevision { expected: 0, found: 1, .. }), "{error}");
    known.apply(A, stale().if_status(FindingStatus::Confirmed).if_revision(1)).unwrap();
}

#[test]
fn duplicates_end_at_a_finding_that_is_none() {
    let mut known = Known::default();
    let duplicate = |of: &str| Change::duplicate(of).by("Ada");
    let error = known.apply(A, duplicate(B)).unwrap_err();
    assert!(matches!(error, LifecycleError::UnknownTarget { .. }), "{error}");
    for print in [A, B, C] {
        known.apply(print, Change::confirm("seen").by("Ada")).unwrap();
    }
    assert!(matches!(known.apply(A, duplicate(A)).unwrap_err(), LifecycleError::OfItself(_)));
    known.apply(A, duplicate(B)).unwrap();
    // B becomes one of C: A follows.
    known.apply(B, duplicate(C)).unwrap();
    assert_eq!(known.get(A).duplicate_of.as_deref(), Some(C));
    assert!(matches!(known.apply(C, duplicate(A)).unwrap_err(), LifecycleError::Circle { .. }));
    // C was fixed. A duplicate that is seen means that C came back.
    assert!(known.read().accepts(A));
    known.apply(C, Change::resolve(fixed()).by("Ada")).unwrap();
    assert!(!known.read().accepts(A) && !known.read().accepts(B));
    let as_known = known.read().lookup(A).unwrap();
    assert!(as_known.is_regression("2999-01-01T00:00:00Z"));
    assert!(!as_known.is_regression("2000-01-01T00:00:00Z"), "seen before it was fixed");
    assert_eq!(as_known.status("2999-01-01T00:00:00Z"), FindingStatus::Duplicate);
}

#[test]
fn meant_to_be_so_is_accepted_and_fixed_is_not() {
    use ResolutionType::{ByDesign, CannotReproduce, Fixed, WontFix};
    for (kind, accepted, seen_again) in [
        (Fixed, false, FindingStatus::Open),
        (CannotReproduce, false, FindingStatus::Open),
        (ByDesign, true, FindingStatus::Resolved),
        (WontFix, true, FindingStatus::WontFix),
    ] {
        let mut known = Known::default();
        known.apply(A, Change::resolve(Resolution::new(kind).details("d")).by("Ada")).unwrap();
        assert_eq!(known.read().accepts(A), accepted, "{kind}");
        let looked_up = known.read().lookup(A).unwrap();
        assert_eq!(looked_up.status("2999-01-01T00:00:00Z"), seen_again, "{kind}");
        assert_eq!(looked_up.status("2000-01-01T00:00:00Z"), kind.status(), "{kind}: seen before");
    }
}

#[test]
fn a_request_names_who_when_and_why() {
    let refused = |change: Change| Known::default().apply(A, change).unwrap_err();
    assert!(matches!(refused(Change::confirm("x")), LifecycleError::NoName(_)));
    assert!(matches!(refused(Change::confirm(" ").by("Ada")), LifecycleError::NoReason { .. }));
    assert!(matches!(refused(Change::confirm("x").by("Ada").at("today")), LifecycleError::NoTime(_)));
    let empty = Change::resolve(Resolution::new(ResolutionType::Fixed).details(" ")).by("Ada");
    assert!(matches!(refused(empty), LifecycleError::NoDetails(_)));
    assert!(matches!(
        refused(Change::resolve(Resolution::new(ResolutionType::Duplicate)).by("Ada")),
        LifecycleError::NoTarget(_)
    ));
    let subject = Subject { created_at: Some("2026-01-14T11:00:00+01:00".to_owned()), ..Subject::new(A) };
    let early = Change::resolve(fixed()).by("Ada").at("2026-01-14T09:59:59Z");
    let error = early.apply(&KnownFindings::default(), &subject).unwrap_err();
    assert!(matches!(error, LifecycleError::TooEarly { .. }), "{error}");
    assert!(matches!(
        Change::confirm("x").by("Ada").apply(&KnownFindings::default(), &Subject::new("BUG-001")),
        Err(LifecycleError::NoFingerprint(_))
    ));
}

fn any_change() -> impl Strategy<Value = (usize, Change)> {
    let prints = [A, B, C];
    (0..3_usize, 0..9_usize, 0..3_usize, prop::option::of(0..6_usize)).prop_map(
        move |(of, what, target, guard)| {
            let resolve = |kind| Change::resolve(Resolution::new(kind).details("d"));
            let change = match what {
                0 => Change::confirm("c"),
                1 => Change::start("s"),
                2 => Change::reopen("r"),
                3 => resolve(ResolutionType::Fixed),
                4 => resolve(ResolutionType::ByDesign),
                5 => resolve(ResolutionType::CannotReproduce),
                6 => Change::wont_fix("w"),
                7 => Change::duplicate(prints[target]),
                // A request that contradicts itself.
                _ => Change { to: FindingStatus::Resolved, ..resolve(ResolutionType::WontFix) },
            };
            let change = Change { if_status: guard.map(|at| FindingStatus::ALL[at]), ..change };
            (of, change.by("Ada"))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_requests_leaves_the_table(changes in prop::collection::vec(any_change(), 0..40)) {
        let prints = [A, B, C];
        let mut known = Known::default();
        for (of, change) in changes {
            let before = known.read();
            let from = before.get(prints[of]).map_or(FindingStatus::Open, |known| known.status);
            let result = known.apply(prints[of], change.clone());
            let after = known.read();
            match result {
                Ok(true) => {
                    let now = after.get(prints[of]).unwrap();
                    let taken = step(from, now.status);
                    // Listing an unlisted finding as open is the one change that leaves the status.
                    let listed = before.get(prints[of]).is_none() && taken == Step::Same;
                    prop_assert!(listed || !matches!(taken, Step::Same | Step::Refused), "{from} -> {}", now.status);
                    prop_assert_eq!(now.status, change.to);
                    let last = now.history.last().unwrap();
                    prop_assert_eq!((last.from, last.to), (from, now.status));
                    prop_assert_eq!(now.resolution.is_some(), matches!(taken, Step::NeedsResolution | Step::NeedsTarget));
                    prop_assert!(!now.why.is_empty());
                }
                Ok(false) => prop_assert_eq!(from, change.to),
                Err(_) => prop_assert_eq!(&before, &after),
            }
            for finding in after.iter() {
                // The history is one chain that ends at the status.
                let mut at = FindingStatus::Open;
                for step in &finding.history {
                    prop_assert_eq!(step.from, at);
                    at = step.to;
                }
                prop_assert_eq!(at, finding.status);
                // A duplicate ends at a finding that is none.
                if let Some(target) = &finding.duplicate_of {
                    prop_assert_eq!(finding.status, FindingStatus::Duplicate);
                    prop_assert!(after.find(target).unwrap().fingerprint != finding.fingerprint);
                }
            }
        }
    }
}
