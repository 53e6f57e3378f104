//! `conformance!`: one named test for each case.

/// Runs the [suite](mod@crate::conformance) against an engine: one named test for each case.
///
/// The engine is any expression whose value is an [`Engine`](crate::engine::Engine); it is evaluated once for each test, in
/// that test. A test of a case that needs a facility which the engine does not declare is skipped, visibly: *not
/// applicable* is no pass.
///
/// The tests are in a module `stageflow_conformance`; a second engine in one file goes into a module of its own.
///
/// ```no_run
/// # use stageflow_stress::engine::*;
/// # struct MyEngine;
/// # impl Engine for MyEngine {
/// #     fn name(&self) -> String { "mine".to_owned() }
/// #     async fn run(&self, _: &PipelineSpec, _: &RunOptions) -> Result<RunReport, EngineError> {
/// #         Ok(RunReport::new(RunEnd::Ok))
/// #     }
/// # }
/// stageflow_stress::conformance!(MyEngine);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! conformance {
    ($engine:expr $(,)?) => {
        $crate::__conformance_tests! {
            $engine;
            { fan_out_keeps_every_output dag_005 "DAG-005" }
            { a_stage_is_told_its_own_name dag_002 "DAG-002" }
            { a_stage_waits_for_the_slowest dag_005 "DAG-005" }
            { a_chain_counts_to_its_length dag_006 "DAG-006" }
            { depth_does_not_depend_on_the_order_of_declaration dag_006 "DAG-006" }
            { a_diamond_joins_both_sides core_001 "CORE-001" }
            { dense_layers_lose_nothing core_001 "CORE-001" }
            { every_kind_of_stage_runs work_001 "WORK-001" }
            { independent_stages_overlap perf_002 "PERF-002" }
            { duplicate_names_are_refused contract_004 "CONTRACT-004" }
            { unknown_dependencies_are_refused contract_004 "CONTRACT-004" }
            { a_dependency_that_is_named_twice_is_one dag_001 "DAG-001" }
            { cycles_are_refused dag_001 "DAG-001" }
            { a_condition_that_holds_runs_its_stage dag_008 "DAG-008" }
            { a_condition_that_does_not_hold_skips_its_stage route_004 "ROUTE-004" }
            { conditions_compare_types dag_008 "DAG-008" }
            { a_missing_value_meets_no_condition route_004 "ROUTE-004" }
            { exactly_one_of_two_branches_runs route_004 "ROUTE-004" }
            { a_stage_may_skip_itself dag_008 "DAG-008" }
            { a_failing_stage_fails_its_run dag_009 "DAG-009" }
            { a_raising_stage_fails_its_run dag_009 "DAG-009" }
            { a_panicking_stage_fails_its_run agent_005 "AGENT-005" }
            { a_failing_branch_stops_the_others dag_009 "DAG-009" }
            { a_raising_branch_stops_the_others dag_009 "DAG-009" }
            { a_cancelling_branch_stops_the_others dag_009 "DAG-009" }
            { a_run_that_is_left_alone_is_whole dag_009 "DAG-009" }
            { an_error_names_its_cause contract_004 "CONTRACT-004" }
            { partial_results_are_what_was_returned contract_003 "CONTRACT-003" }
            { two_failures_at_once_are_one_failed_run dag_009 "DAG-009" }
            { one_failure_among_many_is_not_lost dag_005 "DAG-005" }
            { a_cancelled_run_stops_at_every_point dag_009 "DAG-009" }
            { an_abandoned_run_stops_at_every_point dag_009 "DAG-009" }
            { a_cancelled_run_stops_at_any_time dag_009 "DAG-009" }
            { cancelling_does_not_wait_for_a_slow_stage dag_009 "DAG-009" }
            { a_deadline_stops_every_stage dag_009 "DAG-009" }
            { a_deadline_that_is_kept_changes_nothing dag_009 "DAG-009" }
            { a_stage_that_takes_too_long_fails work_007 "WORK-007" }
            { a_stage_that_keeps_its_deadline_is_ok work_007 "WORK-007" }
            { every_attempt_has_its_deadline work_007 "WORK-007" }
            { a_stage_that_raises_gets_its_attempts work_005 "WORK-005" }
            { a_stage_that_times_out_gets_its_attempts work_005 "WORK-005" }
            { a_stage_that_asks_for_a_retry_is_run_again work_005 "WORK-005" }
            { attempts_that_run_out_are_a_failure work_005 "WORK-005" }
            { a_stage_that_keeps_asking_for_a_retry_fails work_005 "WORK-005" }
            { a_retry_that_is_not_configured_is_no_success work_005 "WORK-005" }
            { a_permanent_error_is_not_retried work_006 "WORK-006" }
            { retry_repeats_only_what_failed work_005 "WORK-005" }
            { the_last_attempt_is_what_counts work_005 "WORK-005" }
            { every_run_has_its_own_attempts work_005 "WORK-005" }
            { back_off_grows work_005 "WORK-005" }
            { back_off_is_limited work_005 "WORK-005" }
            { a_cancelled_run_makes_no_further_attempt work_005 "WORK-005" }
            { a_failed_run_makes_no_further_attempt work_005 "WORK-005" }
            { a_branch_cannot_change_what_another_reads core_008 "CORE-008" }
            { a_branch_that_copies_first_changes_nothing core_008 "CORE-008" }
            { the_speed_of_stages_does_not_matter core_001 "CORE-001" }
            { equal_keys_of_two_stages_stay_apart core_001 "CORE-001" }
            { an_empty_output_is_an_output contract_005 "CONTRACT-005" }
            { numbers_keep_every_digit transform_003 "TRANSFORM-003" }
            { texts_keep_every_character transform_006 "TRANSFORM-006" }
            { shapes_stay_what_they_are contract_006 "CONTRACT-006" }
            { a_large_output_arrives_whole transform_005 "TRANSFORM-005" }
            { stages_read_what_the_run_was_given core_002 "CORE-002" }
            { every_stage_reads_the_same_snapshot core_008 "CORE-008" }
            { outputs_do_not_become_input core_008 "CORE-008" }
            { a_round_trip_keeps_numbers core_002 "CORE-002" }
            { a_round_trip_keeps_texts core_002 "CORE-002" }
            { a_round_trip_keeps_shapes core_002 "CORE-002" }
            { a_stage_is_told_the_run_it_belongs_to obs_001 "OBS-001" }
            { runs_in_turn_are_apart dag_010 "DAG-010" }
            { runs_at_once_are_apart core_010 "CORE-010" }
            { a_burst_of_runs_ends_whole dag_010 "DAG-010" }
            { a_failing_run_does_not_disturb_another dag_010 "DAG-010" }
            { a_cancelled_run_does_not_disturb_another dag_010 "DAG-010" }
            { the_same_run_again_gives_the_same core_001 "CORE-001" }
            { a_repeated_request_has_its_effects_once work_002 "WORK-002" }
            { requests_at_once_have_their_effects_once work_002 "WORK-002" }
            { every_stage_of_a_request_with_a_key_runs work_002 "WORK-002" }
            { another_key_is_another_request work_002 "WORK-002" }
            { a_key_that_is_taken_is_refused_to_another_request work_002 "WORK-002" }
            { a_failed_request_can_be_repeated work_002 "WORK-002" }
            { an_abandoned_request_can_be_repeated work_002 "WORK-002" }
            { a_waiting_request_can_be_cancelled work_002 "WORK-002" }
            { requests_without_a_key_are_apart work_002 "WORK-002" }
            { a_tool_acts_once work_001 "WORK-001" }
            { an_unknown_tool_fails_its_stage work_001 "WORK-001" }
            { a_failing_tool_fails_its_stage work_009 "WORK-009" }
            { a_tool_acts_with_consent guard_004 "GUARD-004" }
            { a_denied_tool_does_not_act guard_004 "GUARD-004" }
            { silence_is_no_consent guard_004 "GUARD-004" }
            { a_slow_tool_does_not_act_later work_007 "WORK-007" }
            { a_failed_run_is_undone work_010 "WORK-010" }
            { a_panicking_run_is_undone work_010 "WORK-010" }
            { a_cancelled_run_is_undone work_003 "WORK-003" }
            { a_successful_run_is_not_undone work_010 "WORK-010" }
            { an_undo_that_fails_keeps_no_other work_003 "WORK-003" }
            { a_failed_call_is_not_undone work_010 "WORK-010" }
            { only_a_guard_that_agrees_lets_data_pass guard_004 "GUARD-004" }
            { a_guard_that_agrees_lets_data_pass guard_004 "GUARD-004" }
            { work_that_is_sent_back_is_done_again agent_006 "AGENT-006" }
            { the_latest_work_is_what_passes agent_006 "AGENT-006" }
            { a_guard_that_keeps_refusing_stops_the_run agent_005 "AGENT-005" }
            { only_the_way_to_the_guard_is_run_again dag_003 "DAG-003" }
            { interceptors_nest work_001 "WORK-001" }
            { a_broken_check_before_a_stage_denies guard_004 "GUARD-004" }
            { a_broken_check_after_a_stage_denies guard_004 "GUARD-004" }
            { an_answer_in_place_of_a_stage_is_its_output guard_004 "GUARD-004" }
            { interceptors_act_after_a_failure obs_002 "OBS-002" }
            { every_attempt_passes_the_interceptors guard_004 "GUARD-004" }
            { an_open_breaker_refuses work_008 "WORK-008" }
            { a_breaker_closes_after_its_time work_008 "WORK-008" }
            { a_success_resets_the_breaker work_008 "WORK-008" }
            { each_stage_has_its_own_breaker work_008 "WORK-008" }
            { every_start_and_end_is_told obs_004 "OBS-004" }
            { a_failure_is_told_as_a_failure obs_008 "OBS-008" }
            { a_stopped_stage_is_told obs_004 "OBS-004" }
            { a_sibling_that_is_stopped_is_told obs_004 "OBS-004" }
            { a_skipped_stage_is_told obs_004 "OBS-004" }
            { a_stage_that_is_not_chosen_is_told obs_004 "OBS-004" }
            { every_retry_is_told obs_004 "OBS-004" }
            { events_carry_the_identity_of_their_run obs_001 "OBS-001" }
            { log_lines_carry_the_identity_of_their_run obs_001 "OBS-001" }
            { a_failure_is_logged obs_008 "OBS-008" }
            { a_slow_sink_loses_nothing_silently obs_004 "OBS-004" }
            { closing_delivers_what_is_queued obs_004 "OBS-004" }
            { a_refusing_sink_gets_the_other_events obs_004 "OBS-004" }
            { a_bad_sink_does_not_disturb_the_run obs_004 "OBS-004" }
            { a_child_runs_once_and_answers core_006 "CORE-006" }
            { a_child_does_not_overwrite_its_parent core_003 "CORE-003" }
            { a_failing_child_fails_its_parent core_006 "CORE-006" }
            { a_child_stops_with_its_parent core_006 "CORE-006" }
            { a_child_stops_when_its_parent_fails dag_009 "DAG-009" }
            { a_child_reads_the_snapshot core_006 "CORE-006" }
            { children_have_children core_006 "CORE-006" }
            { two_children_at_once_are_apart core_003 "CORE-003" }
            { a_successful_run_is_cleaned_up core_007 "CORE-007" }
            { a_failed_run_is_cleaned_up core_007 "CORE-007" }
            { a_cancelled_run_is_cleaned_up core_007 "CORE-007" }
            { an_abandoned_run_is_cleaned_up core_007 "CORE-007" }
            { a_stopped_stage_is_cleaned_up core_007 "CORE-007" }
            { every_run_at_once_is_cleaned_up dag_010 "DAG-010" }
            { an_output_that_keeps_its_contract_passes contract_001 "CONTRACT-001" }
            { a_missing_key_breaks_the_contract contract_005 "CONTRACT-005" }
            { another_type_breaks_the_contract contract_001 "CONTRACT-001" }
            { an_optional_key_has_its_type contract_005 "CONTRACT-005" }
            { a_broken_contract_names_the_key contract_004 "CONTRACT-004" }
            { nothing_is_held_after_a_run core_007 "CORE-007" }
            { time_grows_with_the_width perf_003 "PERF-003" }
            { time_grows_with_the_length perf_003 "PERF-003" }
        }
    };
}

/// The expansion of [`conformance!`]: as little as possible for each case.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    ($engine:expr; $({ $name:ident $case:ident $entry:literal })+) => {
        #[cfg(test)]
        mod stageflow_conformance {
            #[allow(unused_imports)]
            use super::*;

            fn engine() -> ::std::boxed::Box<dyn $crate::__private::conformance::AnyEngine> {
                ::std::boxed::Box::new($engine)
            }

            fn golden(name: &str, content: &str) {
                $crate::__private::insta::assert_snapshot!(name, content);
            }

            const PLACE: $crate::__private::conformance::Place = $crate::__private::conformance::Place {
                file: ::core::file!(),
                line: ::core::line!(),
                manifest_dir: ::core::env!("CARGO_MANIFEST_DIR"),
                package: ::core::env!("CARGO_PKG_NAME"),
                package_version: ::core::env!("CARGO_PKG_VERSION"),
                crate_name: ::core::env!("CARGO_CRATE_NAME"),
            };

            $(
                mod $name {
                    static ENTRY: $crate::__private::TestDef = $crate::__private::conformance::definition(
                        super::PLACE,
                        $entry,
                        ::core::stringify!($name),
                        ::core::stringify!($case),
                        ::core::module_path!(),
                        $crate::__private::Body::Async(|cx| {
                            $crate::__private::conformance::test(::core::stringify!($name), super::engine, cx)
                        }),
                        super::golden,
                    );
                    $crate::__private::inventory::submit! { $crate::__private::Registered(&ENTRY) }
                    #[::core::prelude::v1::test]
                    fn $case() {
                        $crate::__private::libtest(&ENTRY);
                    }
                }
            )+
        }
    };
}

#[cfg(test)]
mod tests {
    use crate::conformance::CASES;

    // The macro cannot read the table, so it has a list of its own.
    #[test]
    fn the_macro_lists_every_case() {
        let source = include_str!("macros.rs");
        let listed: Vec<[String; 3]> = source
            .lines()
            .filter_map(|line| line.trim().strip_prefix("{ ")?.strip_suffix(" }"))
            .filter_map(|row| row.split(' ').map(str::to_owned).collect::<Vec<_>>().try_into().ok())
            .collect();
        let cases: Vec<[String; 3]> = CASES
            .iter()
            .copied()
            .flatten()
            .map(|case| {
                let test = case.entry.to_lowercase().replace('-', "_");
                [case.name.to_owned(), test, format!("\"{}\"", case.entry)]
            })
            .collect();
        assert_eq!(listed, cases);
    }

    #[test]
    fn every_entry_is_on_the_roadmap_and_every_name_is_its_own() {
        let mut names = std::collections::BTreeSet::new();
        for case in CASES.iter().copied().flatten() {
            assert!(crate::roadmap::find(case.entry).is_some(), "{} of {}", case.entry, case.name);
            assert!(names.insert(case.name), "{}", case.name);
            assert!(!case.about.is_empty());
        }
    }
}
