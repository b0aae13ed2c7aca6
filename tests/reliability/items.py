# ruff: noqa: E501
"""What is promised, what was asked for, and the tests that show it.

`python -m tests.reliability.items` prints the tests that stand outside of this folder.
"""

from __future__ import annotations

from dataclasses import dataclass


def part_of(test: str, named: str) -> bool:
    """Whether a test's id is what is named, or in it: a file, or a test with all its parameters."""
    return test == named or test.startswith((f"{named}::", f"{named}["))


@dataclass(frozen=True, kw_only=True)
class Item:
    """One promise."""

    number: int
    part: str
    promise: str
    asked: str
    """The counts that the promise was given with."""
    tests: tuple[str, ...]
    """Files or tests, as pytest takes them."""

    def holds(self, test: str) -> bool:
        """Whether a test belongs to this item."""
        return any(part_of(test, named) for named in self.tests)


UNIT, HERE, WHOLE = "tests/unit", "tests/reliability", "tests/integration"
SCORING = f"{UNIT}/scoring"

ITEMS: tuple[Item, ...] = (
    Item(
        number=1,
        part="A",
        promise="A scoring that is killed resumes to the same bytes: CSV, JSON Lines, Parquet; a fake model, and a real one",
        asked="50 kills a format, 10 with a real model",
        tests=(
            f"{HERE}/test_a01_scoring_kill.py",
            f"{HERE}/test_a01_scoring_kill_real.py",
        ),
    ),
    Item(
        number=2,
        part="A",
        promise="A scoring that is stopped by Ctrl-C or SIGTERM ends with its exit code and the command that resumes it",
        asked="10 stops",
        tests=(f"{HERE}/test_a01_scoring_kill_real.py",),
    ),
    Item(
        number=3,
        part="A",
        promise="A full disk ends in one sentence with the path and the free bytes; with space it resumes to the same bytes",
        asked="10 points",
        tests=(
            f"{HERE}/test_a03_full_disk.py",
            f"{SCORING}/test_journal.py::test_a_full_disk_ends_in_a_message_and_can_go_on",
        ),
    ),
    Item(
        number=4,
        part="A",
        promise="Input that changed between two runs is refused; a new time alone is not",
        asked="4 changes",
        tests=(
            f"{SCORING}/test_score.py::test_changed_input_is_refused_unless_overwritten",
            f"{SCORING}/test_score.py::test_one_changed_byte_is_seen_even_with_the_same_size_and_time",
            f"{SCORING}/test_score.py::test_a_new_time_alone_is_no_change",
            f"{SCORING}/test_score.py::test_an_input_that_changes_while_it_is_scored_is_refused",
        ),
    ),
    Item(
        number=5,
        part="A",
        promise="Other settings or another model don't resume unless `--overwrite` is given",
        asked="each setting",
        tests=(
            f"{SCORING}/test_score.py::test_changed_settings_are_refused_by_name",
            f"{SCORING}/test_score.py::test_another_model_is_refused_unless_overwritten",
        ),
    ),
    Item(
        number=6,
        part="A",
        promise="Of two processes on one output the second is refused; a dead one's lock is not in the way",
        asked="2 processes",
        tests=(
            f"{SCORING}/test_journal.py::test_a_second_process_is_refused_and_the_lock_of_a_dead_one_is_not",
        ),
    ),
    Item(
        number=7,
        part="A",
        promise="Paths that can't be used are refused before a model loads",
        asked="5 paths",
        tests=(
            f"{SCORING}/test_output.py",
            f"{UNIT}/cli/test_cli.py::test_paths_are_checked_before_the_model_is_loaded",
        ),
    ),
    Item(
        number=8,
        part="A",
        promise="Batches, threads and shards move a probability by rounding only; the same settings give the same bytes",
        asked="1e-5 between batch sizes",
        tests=(
            f"{UNIT}/classifiers/test_classifier.py::test_neighbours_move_a_score_by_rounding_only",
            f"{UNIT}/classifiers/test_classifier.py::test_the_same_list_gives_the_same_bits_whatever_the_threads",
            f"{UNIT}/classifiers/test_classifier.py::test_a_budget_is_chosen_by_what_is_fastest_and_changes_no_more_than_rounding",
            f"{SCORING}/test_cluster.py::test_reader_and_workers_make_the_bytes_of_one_process",
        ),
    ),
    Item(
        number=9,
        part="A",
        promise="A million rows take little more memory than ten thousand",
        asked="1,000,000 rows",
        tests=(f"{HERE}/test_a09_million_rows.py",),
    ),
    Item(
        number=10,
        part="A",
        promise="Workers that die lose no row: the rows are scored again, in order",
        asked="workers killed in one scoring",
        tests=(
            f"{WHOLE}/test_ray.py::test_killed_and_taken_up_again_while_workers_die_it_makes_the_bytes_of_one_process",
        ),
    ),
    Item(
        number=11,
        part="A",
        promise="A batch that does not fit the memory is halved; one text that does not fit is named",
        asked="each runtime",
        tests=(
            f"{UNIT}/classifiers/test_classifier.py::test_when_memory_runs_out_a_batch_is_halved_and_the_answers_stay",
            f"{UNIT}/classifiers/test_classifier.py::test_torch_says_that_memory_ran_out_in_the_runtime_s_own_words",
        ),
    ),
    Item(
        number=12,
        part="B",
        promise="Malformed files are refused with file, row and reason; nothing else is raised",
        asked="60 files",
        tests=(f"{UNIT}/data/test_records_malformed.py",),
    ),
    Item(
        number=13,
        part="B",
        promise="Texts such as NA, null, 007 and 1e5 come out as they went in",
        asked="8 texts, 3 formats",
        tests=(f"{UNIT}/data/test_records.py::test_texts_that_look_like_something_else_stay_texts",),
    ),
    Item(
        number=14,
        part="B",
        promise="Any Unicode text comes out as it went in; what can't be text is refused",
        asked="200 drawn texts a format",
        tests=(
            f"{UNIT}/data/test_records.py::test_any_text_comes_out_as_it_went_in",
            f"{UNIT}/data/test_records.py::test_text_comes_out_as_it_is",
            f"{UNIT}/data/test_records.py::test_what_is_no_text",
        ),
    ),
    Item(
        number=15,
        part="B",
        promise="Random bytes raise only the declared errors",
        asked="10,000 inputs",
        tests=("tests/fuzz/test_targets.py",),
    ),
    Item(
        number=16,
        part="B",
        promise="A mistake in a config is named with file, line and the nearest key",
        asked="10 kinds",
        tests=(f"{UNIT}/core/test_config.py",),
    ),
    Item(
        number=17,
        part="B",
        promise="Labels that can't be learned or measured are refused or reported",
        asked="5 kinds",
        tests=(
            f"{UNIT}/data/test_checks.py::test_labels",
            f"{UNIT}/training/test_rows.py::test_preflight_refuses_what_cannot_be_meant",
            f"{UNIT}/training/test_rows.py::test_preflight_says_what_is_learned_cut_and_dropped",
        ),
    ),
    Item(
        number=18,
        part="C",
        promise="No text that people write becomes a control token",
        asked="1,000 cases",
        tests=(f"{UNIT}/prompts/test_special_tokens.py",),
    ),
    Item(
        number=19,
        part="C",
        promise="A history that a client sends is never believed",
        asked="30 cases",
        tests=(
            f"{HERE}/test_demo_untrusted_input.py::test_no_event_shows_continues_or_changes_what_is_somebody_elses_or_believes_a_history",
        ),
    ),
    Item(
        number=20,
        part="C",
        promise="The id of another user's conversation opens nothing",
        asked="100 ids",
        tests=(
            f"{HERE}/test_demo_untrusted_input.py::test_an_id_of_another_and_one_that_never_was_are_refused_in_the_same_words",
            f"{UNIT}/chat/test_store.py::test_what_is_somebody_elses_is_as_missing_as_what_never_was",
        ),
    ),
    Item(
        number=21,
        part="C",
        promise="A chat template that never ends, fills the memory or leaves its sandbox is stopped",
        asked="10 escapes, 5 seconds",
        tests=(
            f"{UNIT}/prompts/test_rendering.py",
            f"{UNIT}/prompts/test_prompt.py::test_a_template_that_reaches_out_of_its_sandbox_is_refused_or_reaches_nothing",
        ),
    ),
    Item(
        number=22,
        part="C",
        promise="A control token in a generated text is text when it comes back as history",
        asked="each template",
        tests=(
            f"{UNIT}/prompts/test_special_tokens.py::test_a_token_split_over_two_texts_is_not_joined",
            f"{UNIT}/chat/test_server.py::test_no_text_becomes_a_control_token",
        ),
    ),
    Item(
        number=23,
        part="C",
        promise="A long conversation drops whole turns from the oldest and keeps to its tokens",
        asked="1,000 drawn conversations",
        tests=(
            f"{UNIT}/generation/test_context.py::test_the_ledger_is_right_for_any_conversation",
            f"{UNIT}/prompts/test_prompt.py::test_of_500_turns_the_systems_text_and_the_last_turns_are_read",
            f"{UNIT}/prompts/test_prompt.py::test_a_prompt_keeps_to_its_room_and_drops_whole_turns_from_the_oldest",
        ),
    ),
    Item(
        number=24,
        part="D",
        promise="Pickles, archives, links out of the folder and configs that ask for code are refused",
        asked="12 cases",
        tests=(
            f"{UNIT}/sources/test_refusal.py",
            f"{UNIT}/models/test_run_base.py",
        ),
    ),
    Item(
        number=25,
        part="D",
        promise="Damaged weights and settings end in an answer or in one clear error, at once",
        asked="2,000 weights, 500 JSON files",
        tests=(f"{HERE}/test_d25_mutated_files.py",),
    ),
    Item(
        number=26,
        part="D",
        promise="An adapter is refused on a base, with labels or with a tokenizer that are not its own",
        asked="9 mismatches",
        tests=(
            f"{UNIT}/models/test_lora.py::test_an_adapter_on_a_base_that_it_does_not_fit_is_refused",
            f"{UNIT}/models/test_lora.py::test_an_adapter_for_other_labels_is_refused",
            f"{UNIT}/core/test_run.py::test_s9_a_changed_or_missing_file_is_refused_and_named",
            f"{WHOLE}/test_export.py::test_another_tokenizer_is_refused",
            f"{WHOLE}/test_dialogue.py::test_an_adapter_on_another_base_is_refused",
        ),
    ),
    Item(
        number=27,
        part="D",
        promise="A run holds no pickle, and an export answers as the run does",
        asked="each runtime",
        tests=(
            f"{UNIT}/training/test_trainer.py::test_the_run_holds_what_the_design_says_and_no_pickle",
            f"{WHOLE}/test_export.py::test_each_form_answers_like_the_run",
        ),
    ),
    Item(
        number=28,
        part="E",
        promise="No path of the demo gives a file that is not the user's, or reaches another server",
        asked="40 URLs",
        tests=(
            f"{HERE}/test_demo_untrusted_input.py::test_no_path_gives_a_file_or_reaches_another_server",
            f"{HERE}/test_demo_untrusted_input.py::test_c5_no_event_looks_up_or_fetches_what_a_client_names",
        ),
    ),
    Item(
        number=29,
        part="E",
        promise="Bodies are counted while they come; connections that drip are closed",
        asked="50 sockets",
        tests=(
            f"{UNIT}/chat/test_server.py::test_a_body_is_counted_while_it_comes",
            f"{UNIT}/chat/test_server.py::test_a_body_that_does_not_come_is_not_waited_for",
            f"{UNIT}/demo/test_demo_guard.py::test_a_body_is_counted_while_it_comes",
            f"{UNIT}/chat/test_connections.py",
            f"{WHOLE}/test_server.py::test_connections_that_say_nothing_hold_nobody",
            f"{HERE}/test_demo_untrusted_input.py::test_c6_half_requests_keep_nobody_from_the_demo",
        ),
    ),
    Item(
        number=30,
        part="E",
        promise="Sampling settings that mean nothing are refused, and the server lives",
        asked="20 cases",
        tests=(
            f"{HERE}/test_demo_untrusted_input.py::test_settings_that_mean_nothing_are_refused_and_the_server_lives",
            f"{UNIT}/chat/test_server.py::test_settings_that_are_no_settings_are_refused",
        ),
    ),
    Item(
        number=31,
        part="E",
        promise="Under many clients no turn is lost, mixed up or out of order; a full queue answers 503",
        asked="10,000 turns by 200 clients",
        tests=(
            f"{WHOLE}/test_server.py::test_the_turns_of_many_clients_are_neither_lost_nor_mixed_up_nor_out_of_order",
            f"{WHOLE}/test_server.py::test_clients_that_are_turned_away_come_back_and_are_all_answered",
            f"{UNIT}/generation/test_scheduler.py::test_hundreds_of_answers_from_many_threads_are_each_their_own",
        ),
    ),
    Item(
        number=32,
        part="E",
        promise="A client that leaves ends its reply and frees its place",
        asked="100 clients",
        tests=(f"{WHOLE}/test_server.py::test_100_clients_that_leave_end_100_answers",),
    ),
    Item(
        number=33,
        part="E",
        promise="Nothing that people or models write runs in a page",
        asked="50 payloads",
        tests=(
            "tests/browser/test_page.py::test_fifty_payloads_are_seen_and_do_nothing",
            f"{UNIT}/data/test_checks.py::test_page_escapes_and_holds_no_script",
        ),
    ),
    Item(
        number=34,
        part="E",
        promise="Cells that a spreadsheet would run are made inert in CSV, and nowhere else",
        asked="each mark",
        tests=(f"{SCORING}/test_score.py::test_s7_formulas_are_made_inert_and_counted_in_csv_alone",),
    ),
    Item(
        number=35,
        part="E",
        promise="The demo asks nobody outside, and can be used by keyboard, reader and phone",
        asked="0 requests, 0 findings",
        tests=(
            "tests/browser/test_page.py::test_axe_finds_nothing",
            "tests/browser/test_page.py::test_a_phone_need_not_be_pushed_sideways",
            "tests/browser/test_keyboard_walk.py",
            f"{WHOLE}/test_offline.py::test_s11_chat_server_and_demo_reply_and_ask_nobody",
        ),
    ),
    Item(
        number=36,
        part="E",
        promise="What a client saw as saved is there after the server was killed",
        asked="50 kills",
        tests=(
            f"{HERE}/test_e36_demo_kill.py",
            f"{HERE}/test_e36_store_kill.py",
        ),
    ),
    Item(
        number=57,
        part="E",
        promise="Under clients that talk, are slow, leave and lie, and through kills, nothing is lost or believed",
        asked="an hour of 200 clients each",
        tests=(f"{HERE}/test_e57_load.py",),
    ),
    Item(
        number=37,
        part="F",
        promise="What people write stands in no log, record or model card",
        asked="each place",
        tests=(
            f"{UNIT}/core/test_privacy.py",
            f"{UNIT}/chat/test_server.py::test_what_is_written_is_in_no_log",
        ),
    ),
    Item(
        number=38,
        part="F",
        promise="A conversation that is forgotten is in no file; only its user can read the store",
        asked="each file",
        tests=(
            f"{UNIT}/cli/test_chat_forget.py",
            f"{UNIT}/chat/test_store.py::test_nothing_of_a_deleted_conversation_is_in_any_file",
            f"{UNIT}/chat/test_store.py::test_everything_of_an_owner_is_forgotten",
            f"{UNIT}/chat/test_store.py::test_only_its_user_can_read_the_files",
        ),
    ),
    Item(
        number=39,
        part="G",
        promise="A training that is killed ends in the weights of one that was not",
        asked="20 kills, classifier and chat",
        tests=(f"{HERE}/test_g39_training_kill.py",),
    ),
    Item(
        number=40,
        part="G",
        promise="A checkpoint with a file gone or cut is passed over for the one before it",
        asked="10 files",
        tests=(
            f"{UNIT}/training/test_trainer.py::test_a_checkpoint_with_any_file_gone_or_cut_is_passed_over",
            f"{UNIT}/training/test_trainer.py::test_the_newest_complete_checkpoint_is_trusted",
            f"{UNIT}/training/test_trainer.py::test_none_left_is_a_fresh_start_and_is_said",
        ),
    ),
    Item(
        number=41,
        part="G",
        promise="Another config, a loss that is no number and rows in two splits are refused or reported",
        asked="4 kinds",
        tests=(
            f"{UNIT}/training/test_trainer.py::test_checkpoints_of_another_training_are_refused",
            f"{UNIT}/training/test_trainer.py::test_another_training_is_refused_before_its_config_is_replaced",
            f"{UNIT}/training/test_trainer.py::test_a_loss_that_is_no_number_stops_the_training",
            f"{UNIT}/data/test_checks.py::test_overlap_between_parts",
        ),
    ),
    Item(
        number=42,
        part="G",
        promise="Trainings of one seed are equal, whatever the hash seed of Python",
        asked="3 trainings",
        tests=(
            f"{UNIT}/training/test_trainer.py::test_two_runs_of_one_seed_are_equal_and_two_seeds_are_not",
            f"{HERE}/test_g42_hash_seeds.py",
        ),
    ),
    Item(
        number=43,
        part="H",
        promise="Without a network commands work and ask nobody",
        asked="each command",
        tests=(
            f"{WHOLE}/test_offline.py",
            f"{UNIT}/core/test_privacy.py::test_s11_no_command_writes_in_the_home_or_asks_a_host",
        ),
    ),
    Item(
        number=44,
        part="H",
        promise="`nlpkit --help` and `import nlpkit` import no slow library",
        asked="2 commands",
        tests=(f"{UNIT}/test_layers.py",),
    ),
    Item(
        number=45,
        part="H",
        promise="What is installed is pinned with hashes, and the wheel carries no start-up file",
        asked="each pin",
        tests=(f"{UNIT}/test_dependencies.py",),
    ),
    Item(
        number=46,
        part="I",
        promise="An analysis that is killed resumes to the same page and tables",
        asked="3 kills",
        tests=(f"{HERE}/test_i_analysis_kill.py",),
    ),
    Item(
        number=47,
        part="I",
        promise="A search that is killed repeats no trial and ends in the same run",
        asked="3 kills",
        tests=(f"{HERE}/test_i_search_kill.py",),
    ),
    Item(
        number=48,
        part="I",
        promise="A student that is killed while it asks and while it learns ends in the same weights",
        asked="2 kills",
        tests=(
            f"{WHOLE}/test_distill.py::test_killed_while_it_asks_and_while_it_learns_it_ends_in_the_same_weights",
        ),
    ),
    Item(
        number=49,
        part="I",
        promise="Self-training that is killed in a round repeats no completed round",
        asked="1 kill",
        tests=(
            f"{WHOLE}/test_self_train.py::test_killed_in_a_round_it_trains_no_round_that_is_completed_again",
        ),
    ),
    Item(
        number=50,
        part="I",
        promise="A federated training resumes at the last whole round; a site's bad update is left out",
        asked="1 kill",
        tests=(f"{UNIT}/federated/test_rounds.py",),
    ),
    Item(
        number=51,
        part="I",
        promise="A label is on the disk when the page says so; a line that a kill cut short is dropped alone",
        asked="each answer",
        tests=(
            f"{UNIT}/labeling/test_raters.py",
            f"{HERE}/test_i_journal_kill.py::test_a_confirmed_label_survives_a_kill",
            f"{HERE}/test_i_journal_kill.py::test_two_pages_of_one_rater_lose_no_label",
        ),
    ),
    Item(
        number=52,
        part="I",
        promise="A private training that resumes accounts for each step once",
        asked="1 kill",
        tests=(
            f"{UNIT}/training/test_private_steps.py::test_a_resumed_training_accounts_for_each_step_once",
        ),
    ),
    Item(
        number=53,
        part="I",
        promise="A watch goes on where its state stood; a second one on the same state is refused",
        asked="50 kills",
        tests=(
            f"{HERE}/test_i_journal_kill.py::test_a_watch_goes_on_where_its_state_stood",
            f"{UNIT}/core/test_files.py::test_of_two_writers_the_second_is_refused_until_the_first_is_dead",
            f"{UNIT}/watching/test_watcher.py::test_a_served_text_is_answered_though_the_state_cannot_be_written",
        ),
    ),
    Item(
        number=54,
        part="I",
        promise="A cascade and several readings that break off resume to the same bytes",
        asked="1 stop each",
        tests=(
            f"{UNIT}/classifiers/test_cascade.py::test_a_scoring_that_breaks_off_resumes_to_the_same_bytes",
            f"{UNIT}/classifiers/test_readings.py::test_a_scoring_that_breaks_off_resumes_to_the_same_bytes",
        ),
    ),
    Item(
        number=55,
        part="I",
        promise="The decision protocol refuses invalid questions, and many clients get the answers to their own",
        asked="10,000 questions by 100 clients",
        tests=(
            f"{HERE}/test_i_decisions.py",
            f"{UNIT}/chat/test_decisions.py::test_a_request_that_is_invalid_names_the_field",
        ),
    ),
    Item(
        number=56,
        part="J",
        promise="Locale, time zone, one core, older instructions, 2 GB and a read-only home change no answer",
        asked="9 machines",
        tests=(f"{HERE}/test_j_machines.py",),
    ),
)

if __name__ == "__main__":
    print(*sorted({test for item in ITEMS for test in item.tests if not test.startswith(HERE)}))
